"""Makes heads/: for each family and kind of head a tiny random checkpoint, and what transformers makes of texts.

pip install 'transformers==5.24.0' 'sentence-transformers==6.2.0' torch
PYTHONPATH=. python tests/data/golden/make_heads.py
"""

import json
import shutil
from pathlib import Path

import numpy as np

HEADS = Path(__file__).parent / "heads"
SIZES = {"vocab_size": 89, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
DISTILBERT = {"vocab_size": 89, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 32}
LENGTHS = (1, 7, 19, 60)
KINDS = {
    "classification": ("SequenceClassification", {"id2label": {0: "negative", 1: "neutral", 2: "positive"}}),
    "token_classification": (
        "TokenClassification",
        {"id2label": dict(enumerate(("O", "B-PER", "I-PER", "B-LOC", "I-LOC")))},
    ),
    "question_answering": ("QuestionAnswering", {}),
}
MORE = {  # of BERT alone
    "bert-multi_label": ("SequenceClassification", {"problem_type": "multi_label_classification", "num_labels": 4}),
    "bert-regression": ("SequenceClassification", {"problem_type": "regression", "num_labels": 1}),
    "bert-one_label": ("SequenceClassification", {"num_labels": 1}),
    "modernbert-mean": ("SequenceClassification", {"num_labels": 3, "classifier_pooling": "mean"}),
    "modernbert-bias": ("TokenClassification", {"num_labels": 3, "classifier_bias": True}),
}
TEXTS = [
    "the bank of new york",
    "A quick Brown fox, jumps over the lazy dog! we sat on the bank; john smith went.",
    "zoo zoo-bank caf\u00e9 na\u00efve \U0001f642 x-ray 3.14",
    "",
]
PAIRS = [(TEXTS[0], TEXTS[1]), (TEXTS[1], TEXTS[2])]  # a pair with an empty second text is one text to transformers
LONG = "We sat on the bank of the river, and john smith went home to new york. " * 4
QUESTIONS = [("who went home?", TEXTS[1]), ("where?", LONG), ("why", "")]
TOKENIZERS = ("bert", "camembert", "mpnet", "roberta", "xlm-roberta")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"
AGGREGATIONS = ("none", "simple", "first", "average", "max")


def ids():
    """Texts as ids, and pairs of them: [CLS] a [SEP], and [CLS] a [SEP] b [SEP] with the place where b begins."""
    rng = np.random.default_rng(20261127)
    texts = [[2, *rng.integers(5, 89, length).tolist(), 3] for length in LENGTHS]
    firsts = [[2, *rng.integers(5, 89, length).tolist(), 3] for length in (3, 12)]
    pairs = [([*first, *rng.integers(5, 89, len(first) + 4).tolist(), 3], len(first)) for first in firsts]
    return texts, pairs


def families():
    """The configuration of each family, and the beginning of its classes' names."""
    import transformers as t

    roberta = {**SIZES, "max_position_embeddings": 162, "type_vocab_size": 1}
    modern = {**SIZES, "max_position_embeddings": 160, "local_attention": 16, "pad_token_id": 0, "bos_token_id": 2,
              "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3, "attn_implementation": "eager"}  # fmt: skip
    return {
        "bert": (t.BertConfig, "Bert", {**SIZES, "max_position_embeddings": 160}),
        "camembert": (t.CamembertConfig, "Camembert", roberta),
        "distilbert": (t.DistilBertConfig, "DistilBert", {**DISTILBERT, "max_position_embeddings": 160}),
        "modernbert": (t.ModernBertConfig, "ModernBert", modern),
        "mpnet": (t.MPNetConfig, "MPNet", {**SIZES, "max_position_embeddings": 162}),
        "roberta": (t.RobertaConfig, "Roberta", roberta),
        "xlm-roberta": (t.XLMRobertaConfig, "XLMRoberta", roberta),
    }


def make(family, end, changes):
    """A random model of a family with a head."""
    import torch
    import transformers as t

    config, begin, fields = families()[family]
    torch.manual_seed(11)
    model = getattr(t, f"{begin}For{end}")(config(**fields, **changes))
    with torch.no_grad():
        for parameter in model.parameters():  # LayerNorm's ones and zeros would hide a swapped name
            parameter += torch.randn_like(parameter) * 0.3
        if end == "TokenClassification":  # that one label is not always the likeliest
            model.classifier.weight *= 4
            model.classifier.bias.zero_()
    return model.eval()


def logits_of(model, text, second=None):
    """[C], or [T, C] of heads that label tokens."""
    import torch

    inputs = {"input_ids": torch.tensor([text])}
    if second is not None and model.config.model_type == "bert":
        inputs["token_type_ids"] = torch.tensor([[0] * second + [1] * (len(text) - second)])
    with torch.inference_mode():
        out = model(**inputs)
    if hasattr(out, "start_logits"):
        return torch.stack([out.start_logits[0], out.end_logits[0]], dim=1).numpy()
    return out.logits[0].numpy()


def tokenizer(folder):
    """A tokenizer of letters, of BERT's class."""
    from transformers import BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # as tests/conftest.py has them
    (folder / "vocab.txt").write_text("\n".join([*special, *LETTERS, *("##" + letter for letter in LETTERS)]))
    made = BertTokenizer.from_pretrained(folder)
    (folder / "vocab.txt").unlink()
    made.save_pretrained(folder)
    return made


def plain(answer):
    """As JSON has it."""
    return json.loads(json.dumps(answer, default=float))


def answer(question, context, most=15):
    """The best span over windows of 64 tokens, 16 in common, and the score of none; by the rules of transformers 4.

    Its pipeline for questions is not in transformers 5: the spans are tried one by one here.
    """
    import torch
    import transformers as t

    folder = HEADS / "bert-question_answering"
    encode, model = tokenizer(folder), t.AutoModelForQuestionAnswering.from_pretrained(folder)
    inputs = encode(question, context, truncation="only_second", max_length=64, stride=16,
                    return_overflowing_tokens=True, return_offsets_mapping=True, return_tensors="pt",
                    padding=True)  # fmt: skip
    with torch.inference_mode():
        out = model(**{name: inputs[name] for name in ("input_ids", "attention_mask", "token_type_ids")})
    best, none = [], 1.0
    for row in range(len(inputs["input_ids"])):
        texts, offsets = inputs.sequence_ids(row), inputs["offset_mapping"][row].tolist()
        own = [0, *(place for place, text in enumerate(texts) if text == 1)]
        begins, ends = (torch.softmax(one[row, own].double(), 0).tolist() for one in (out.start_logits, out.end_logits))
        none = min(none, begins[0] * ends[0])
        for i in range(1, len(own)):
            last = min(i + most, len(own))
            best += [(begins[i] * ends[j], offsets[own[i]][0], offsets[own[j]][1]) for j in range(i, last)]
    best.sort(reverse=True)
    score, start, end = best[0] if best else (0.0, 0, 0)
    return {"question": question, "context": context, "windows": len(inputs["input_ids"]), "none": none,
            "score": score, "start": start, "end": end}  # fmt: skip


def pipelines():
    """What transformers' pipelines, and a CrossEncoder, make of texts."""
    import transformers as t
    from sentence_transformers import CrossEncoder

    made = {}
    for name in ("bert-classification", "bert-multi_label", "bert-regression", "bert-one_label"):
        folder = HEADS / name
        pipe = t.pipeline("text-classification", str(folder), tokenizer=tokenizer(folder), top_k=None)
        pairs = [{"text": a, "text_pair": b} for a, b in PAIRS]
        made[name] = plain({"texts": pipe(TEXTS), "pairs": [pipe(pair) for pair in pairs]})
    folder = HEADS / "bert-token_classification"
    tagger = t.pipeline("token-classification", str(folder), tokenizer=tokenizer(folder))
    made["entities"] = plain(
        {kind: [tagger(text, aggregation_strategy=kind) if text else [] for text in TEXTS] for kind in AGGREGATIONS}
    )
    tagger.tokenizer.model_max_length = 64
    spread = {kind: t.pipeline("token-classification", model=tagger.model, tokenizer=tagger.tokenizer,
                               aggregation_strategy=kind, stride=16)
              for kind in AGGREGATIONS if kind != "none"}  # fmt: skip
    made["windows"] = plain({kind: one(LONG) for kind, one in spread.items()})
    made["answers"] = [answer(question, context) for question, context in QUESTIONS]
    for name, function in (("identity", "Identity"), ("sigmoid", "Sigmoid")):
        import torch

        folder = HEADS / f"cross-{name}"
        encoder = CrossEncoder(str(HEADS / "bert-one_label"), activation_fn=getattr(torch.nn, function)())
        encoder.save_pretrained(str(folder))
        (folder / "README.md").unlink(missing_ok=True)
        scores = encoder.predict([(TEXTS[0], text) for text in TEXTS])
        made[f"cross-{name}"] = plain(scores.tolist())
    return made


def write_answers():
    """What pipelines and CrossEncoders make of texts."""
    (HEADS / "answers.json").write_text(json.dumps(pipelines(), indent=1) + "\n")


def write_pairs():
    """What transformers' tokenizers make of pairs of texts."""
    import tempfile

    from tests.data.golden.make_tokenizers import write_case
    from transformers import AutoTokenizer

    made = {}
    for name in TOKENIZERS:
        with tempfile.TemporaryDirectory() as folder:
            config = write_case(name, Path(folder))
            (Path(folder) / "config.json").write_text(json.dumps(config))
            encoded = AutoTokenizer.from_pretrained(folder)([TEXTS[0]], [TEXTS[1]], return_token_type_ids=True)
            made[name] = {"ids": encoded["input_ids"][0], "types": encoded["token_type_ids"][0]}
    (HEADS / "pairs.json").write_text(json.dumps(made) + "\n")


def main():
    shutil.rmtree(HEADS, ignore_errors=True)
    wanted = {f"{family}-{kind}": (family, *how) for family in families() for kind, how in KINDS.items()}
    wanted |= {name: (name.split("-")[0], *how) for name, how in MORE.items()}
    texts, pairs = ids()
    for name, (family, end, changes) in wanted.items():
        model = make(family, end, changes)
        model.save_pretrained(HEADS / name)
        arrays = [logits_of(model, text) for text in texts] + [logits_of(model, *pair) for pair in pairs]
        np.savez_compressed(HEADS / name / "logits.npz", *[array.astype(np.float32) for array in arrays])
        print(name, [array.shape for array in arrays])
    write_pairs()
    write_answers()


if __name__ == "__main__":
    main()
