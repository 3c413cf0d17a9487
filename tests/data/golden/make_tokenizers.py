"""Makes tokenizers/: checkpoints' tokenizer files of many kinds, and what transformers' AutoTokenizer makes of texts.

pip install 'transformers==5.24.0'
PYTHONPATH=. python tests/data/golden/make_tokenizers.py

`write_case` writes the files of a case into a folder; what is trained lies in tokenizers/*.json, since training differs
from version to version.
"""

import copy
import hashlib
import json
import random
from pathlib import Path

FOLDER = Path(__file__).parent / "tokenizers"
GOLDEN = FOLDER / "expected.json"
SHOWN = 100  # texts whose ids are kept as they are, to see what differs; of all there is a hash
LOWER = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
         "lowercase": True}  # fmt: skip
CASED = {**LOWER, "lowercase": False}
CHARSMAP = (
    "AAQAAAAIAwDDGAIAhQUAAAIAAIAIAACAgAwCAIAFAAAAAACAvIACAKENAAAGAACAnUgCAJU4AgCPDQAABAAAgA4AAAARAAAAEAAA"
    "ABMAAAASAAAAFQAAABQAAAAXAAAAFgAAABkAAAAYAAAAGwAAABoAAAAdAAAAHAAAAB8AAAAeAAAAIQAAAOOQAgAjAAAAIgAAACUA"
    "AAAkAAAAJwAAACYAAAApAAAAKAAAACsAAAAqAAAALQAAAO9kAgCpqQAALgAAADEAAAAwAAAA8JACADIAAAA1AAAANAAAADcAAAA2"
    "AAAAOQAAADgAAAA7AAAAOgAAAD0AAAA8AAAAPwAAAD4AAABBAAAAQAAAAEMAAABCAAAARQAAAEQAAABHAAAARgAAAEkAAABIAAAA"
    "SwAAAEoAAABNAAAATAAAAE8AAABOAAAAUQAAAFAAAABTAAAAUgAAAFUAAABUAAAAVwAAAFYAAABZAAAAWAAAAFsAAABaAAAAXQAA"
    "AFwAAABfAAAAXgAAAGEAAABgAAAAYwAAAGIAAABlAAAAZAAAAGcAAABmAAAAaQAAAGgAAABrAAAAagAAAG0AAABsAAAAbwAAAG4A"
    "AABxAAAAcAAAAHMAAAByAAAAdQAAAHQAAAB3AAAAdgAAAHkAAAB4AAAAewAAAHoAAAB9AAAAfAAAAH8AAAB+AAAAgQAAAIAAAACD"
    "AAAAggAAAIUAAACEAAAAhwAAAIYAAACJAAAAiAAAAIsAAACKAAAAjQAAAIwAAACPAAAAjgAAAJEAAACQAAAAkwAAAJIAAACVAAAA"
    "lAAAAJcAAACWAAAAmQAAAJgAAACbAAAAmgAAAJ0AAACcAAAAnwAAAJ4AAAChAAAAoAAAAKMAAACiAAAApQAAAKQAAACnAAAApgAA"
    "AKkAAACoAAAAqwAAAKoAAACtAAAArAAAAK8AAACuAAAAsQAAALAAAACzAAAAsgAAALUAAAC0AAAAtwAAALYAAAC5AAAAuAAAALsA"
    "AAC6AAAAvQAAALwAAAC/AAAAvgAAAMEAAADAAAAAwwAAAMIAAADFAAAAxAAAAMcAAADGAAAAyQAAAMgAAADLAAAAygAAAM0AAADM"
    "AAAAzwAAAM4AAADRAAAA0AAAANMAAADSAAAA1QAAANQAAADXAAAA1gAAANkAAADYAAAA2wAAANoAAADdAAAA3AAAAN8AAADeAAAA"
    "4QAAAOAAAADjAAAA4gAAAOUAAADkAAAA5wAAAOYAAADpAAAA6AAAAOsAAADqAAAA7QAAAOwAAADvAAAA7gAAAPEAAADwAAAA8wAA"
    "APIAAAD1AAAA9AAAAPcAAAD2AAAA+QAAAPgAAAD7AAAA+gAAAP0AAAD8AAAA/wAAAP4AAAAgAEEAWABhAGUA"
)
"""Of five characters, by sentencepiece: Å, é, the ideographic space, full-width A and double-struck X."""
XLM_R = {"tokenizer_class": "XLMRobertaTokenizer"}
AS_IT_IS = {"tokenizer_class": "PreTrainedTokenizerFast"}


def texts():
    """Hard pieces one by one and mixed, and strings that broke other programs."""
    from tests.runtime.test_hard_text import PIECES

    own = ["[query]", "[QUERY]", "[document]", "[Q]", "<pad>", "<s>", "</s>", "<mask>", " <mask> ", "[pad]", "Zoo"]
    own += ["ÅNGSTRÖM", "Ba Ä", "naïve CAFÉ", "NEW YORK", "\u0085", "\u2028x"]
    pieces, draw = [*PIECES, *own], random.Random(5)
    mixed = [draw.choice(["", " "]).join(draw.choices(pieces, k=draw.randint(2, 7))) for _ in range(2500)]
    return ["", *pieces, *mixed, *json.loads((FOLDER.parents[1] / "blns.json").read_text(encoding="utf-8"))]


def trained(name):
    """A tokenizer.json: word_piece as of BERT, byte_level as of RoBERTa, unigram as of XLM-R."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def changed(name, **fields):
    """The same with other fields; `model__unk_id` is a field of its model."""
    document = trained(name)
    for key, value in fields.items():
        part, _, inner = key.rpartition("__")
        (document[part] if part else document)[inner] = value
    return document


def added(content, **fields):
    """An entry of added_tokens or added_tokens_decoder."""
    flags = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}
    return {"content": content, **flags, **fields}


def of_mpnet():
    """word_piece under MPNet's special tokens."""
    document, special = trained("word_piece"), ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    words = [token for token in document["model"]["vocab"] if token not in ("[PAD]", "[CLS]", "[SEP]", "[MASK]")]
    document["model"]["vocab"] = {token: i for i, token in enumerate(dict.fromkeys([*special, *words]))}
    document["added_tokens"] = [{"id": i, **added(token)} for i, token in enumerate(special)]
    document["post_processor"] = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                                  "trim_offsets": True, "add_prefix_space": False}  # fmt: skip
    return document


def unknown_elsewhere(special):
    """unigram with its special tokens in another order."""
    document = trained("unigram")
    rest = [pair for pair in document["model"]["vocab"] if pair[0] not in ("<s>", "<pad>", "</s>", "<unk>")]
    document["model"] |= {"vocab": [*([token, 0.0] for token in special), *rest], "unk_id": special.index("<unk>")}
    ids = {token: i for i, (token, _) in enumerate(document["model"]["vocab"])}
    for entry in document["added_tokens"]:
        entry["id"] = ids[entry["content"]]
    for token, entry in document["post_processor"]["special_tokens"].items():
        entry["ids"] = [ids[token]]
    return document


def words(*special):
    """A vocab.txt."""
    vocabulary = trained("word_piece")["model"]["vocab"]
    return "\n".join([*special, *list(vocabulary)[5:]]) + "\n"


def cases():
    """By name: model_type, and content by file name."""
    lower, cased = changed("word_piece", normalizer=LOWER), changed("word_piece", normalizer=CASED)
    ids, size = lower["model"]["vocab"], len(lower["model"]["vocab"])
    bpe, spaced = trained("byte_level"), changed("byte_level", pre_tokenizer__add_prefix_space=True)
    uni, mpnet = trained("unigram"), of_mpnet()
    vocabulary = words("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    merges = "\n".join(" ".join(pair) for pair in bpe["model"]["merges"])
    files = {"vocab.json": bpe["model"]["vocab"], "merges.txt": f"#version: 0.2\n{merges}\n"}
    zoo = copy.deepcopy(lower)
    zoo["added_tokens"].append({"id": ids["zoo"], **added("zoo", special=False)})
    query = {str(ids["[query]"]): added("[query]")}
    never = changed("unigram")
    never["pre_tokenizer"]["pretokenizers"][1]["prepend_scheme"] = "never"
    table = {"type": "Precompiled", "precompiled_charsmap": CHARSMAP}
    fixed = {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
             "pad_token": "[PAD]"}  # fmt: skip
    cut = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    spread = {"lstrip": True, "rstrip": True, "normalized": True, "single_word": False}
    odd = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "a", "b\u3000", " c", "\u00a0", "d\x85e",
                     "f\u2028g", "", "the ", "bank"])  # fmt: skip

    def json_and(document, **config):
        return {"tokenizer.json": document, **({"tokenizer_config.json": config} if config else {})}

    def vocab_and(**config):
        return {"vocab.txt": vocabulary, "tokenizer_config.json": config}

    return {
        "bert": ("bert", json_and(lower)),
        "bert, cased file, no config": ("bert", json_and(cased)),
        "bert, lower file, cased config": ("bert", json_and(lower, do_lower_case=False)),
        "bert, cased file, lower config": ("bert", json_and(cased, do_lower_case=True)),
        "bert, cased file, silent config": ("bert", json_and(cased, tokenizer_class="BertTokenizerFast")),
        "bert, accents kept": ("bert", json_and(lower, strip_accents=False)),
        "bert, accents stripped, cased": ("bert", json_and(cased, strip_accents=True, do_lower_case=False)),
        "bert, Chinese as it is": ("bert", json_and(lower, tokenize_chinese_chars=False)),
        "bert, as it is": ("bert", json_and(cased, **AS_IT_IS, do_lower_case=True)),
        "bert, slow base class": ("bert", json_and(cased, tokenizer_class="PreTrainedTokenizer")),
        "bert, truncation and padding": ("bert", json_and({**lower, "truncation": cut, "padding": fixed})),
        "bert, short words": ("bert", json_and(changed("word_piece", model__max_input_chars_per_word=5))),
        "bert, another normalizer": ("bert", json_and({**lower, "normalizer": {"type": "NFD"}})),
        "bert, another pre-tokenizer": ("bert", json_and({**lower, "pre_tokenizer": {"type": "Whitespace"}})),
        "bert, no post-processor": ("bert", json_and({**lower, "post_processor": None})),
        "bert, a token of text": ("bert", json_and(zoo)),
        "bert, decoder replaces tokens": ("bert", json_and(zoo, added_tokens_decoder={"0": added("[PAD]")})),
        "bert, decoder": ("bert", json_and(lower, added_tokens_decoder=query, additional_special_tokens=["[query]"])),
        "bert, added_tokens.json": ("bert", {**json_and(lower), "added_tokens.json": {"[query]": ids["[query]"]}}),
        "bert, special_tokens_map": (
            "bert",
            {**json_and(lower), "special_tokens_map.json": {"cls_token": "[MASK]", "mask_token": {"content": "[q]"}}},
        ),
        "bert, extra tokens": ("bert", json_and(lower, extra_special_tokens=["[query]", "the"])),
        "bert, named tokens": ("bert", json_and(lower, extra_special_tokens={"q": "[query]"}, doc_token="bank")),
        "bert, typed token": (
            "bert",
            json_and(lower, mask_token={"__type": "AddedToken", "content": "[query]", **spread}),
        ),
        "bert, vocab.txt": ("bert", {"vocab.txt": vocabulary}),
        "bert, vocab.txt, cased": ("bert", vocab_and(do_lower_case=False)),
        "bert, vocab.txt, CR LF": ("bert", {"vocab.txt": vocabulary.replace("\n", "\r\n")}),
        "bert, odd vocab.txt": ("bert", {"vocab.txt": odd}),
        "bert, vocab.txt, new tokens": (
            "bert",
            {"vocab.txt": vocabulary, "added_tokens.json": {"[query]": ids["[query]"], "[document]": size}},
        ),
        "bert, vocab.txt, special tokens": (
            "bert",
            {
                "vocab.txt": vocabulary,
                "added_tokens.json": {"[query]": ids["[query]"]},
                "special_tokens_map.json": {"additional_special_tokens": ["[query]"], "cls_token": "[CLS]"},
            },
        ),
        "bert, vocab.txt, map": (
            "bert",
            {
                "vocab.txt": vocabulary,
                "special_tokens_map.json": {"cls_token": "[MASK]", "sep_token": {"content": "[PAD]", "lstrip": True}},
            },
        ),
        "bert, vocab.txt, decoder": (
            "bert",
            vocab_and(
                added_tokens_decoder={
                    "0": added("[PAD]"),
                    str(size): added("[document]", special=False, normalized=True),
                    str(size + 1): added("[Q]", single_word=True),
                }
            ),
        ),
        "bert, no mask": (
            "bert",
            {"vocab.txt": words("[PAD]", "[UNK]", "[CLS]", "[SEP]"), "tokenizer_config.json": {"mask_token": None}},
        ),
        "bert of XLM-R's tokens": ("bert", json_and(uni, **XLM_R)),
        "bert of XLM-R's tokens, as it is": ("bert", json_and(uni, **AS_IT_IS, unk_token="<unk>")),
        "distilbert": ("distilbert", json_and(cased, tokenizer_class="DistilBertTokenizer", do_lower_case=False)),
        "distilbert, silent": ("distilbert", json_and(cased, tokenizer_class="DistilBertTokenizer")),
        "electra": ("electra", json_and(cased, tokenizer_class="ElectraTokenizerFast")),
        "roberta": ("roberta", json_and(bpe, tokenizer_class="RobertaTokenizer")),
        "roberta, space in file": ("roberta", json_and(spaced)),
        "roberta, space in config": ("roberta", json_and(bpe, add_prefix_space=True, trim_offsets=False)),
        "roberta, vocab.json": ("roberta", files),
        "roberta, vocab.json, space": ("roberta", {**files, "tokenizer_config.json": {"add_prefix_space": True}}),
        "roberta, as it is": ("roberta", json_and(spaced, **AS_IT_IS)),
        "roberta of BERT's tokens": (
            "roberta",
            json_and(cased, tokenizer_class="BertTokenizer", do_lower_case=False),
        ),
        "roberta, extra token": ("roberta", json_and(bpe, additional_special_tokens=["Zoo"])),
        "roberta, a normalizer": ("roberta", json_and({**bpe, "normalizer": {"type": "Lowercase"}})),
        "bart's class": ("roberta", json_and(bpe, tokenizer_class="BartTokenizer")),
        "xlm-roberta": ("xlm-roberta", json_and(uni, **XLM_R)),
        "xlm-roberta, bare": ("xlm-roberta", json_and(uni)),
        "xlm-roberta, table of characters": ("xlm-roberta", json_and({**uni, "normalizer": table}, **XLM_R)),
        "xlm-roberta, table and more": (
            "xlm-roberta",
            json_and({**uni, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, table]}}),
        ),
        "xlm-roberta, no prefix": ("xlm-roberta", json_and(never, add_prefix_space=False)),
        "xlm-roberta, no prefix in file": ("xlm-roberta", json_and(never)),
        "xlm-roberta, unknown elsewhere": (
            "xlm-roberta",
            json_and(unknown_elsewhere(["<unk>", "<s>", "<pad>", "</s>"])),
        ),
        "xlm-roberta, lower file": ("xlm-roberta", json_and({**uni, "normalizer": {"type": "Lowercase"}})),
        "xlm-roberta, lower, as it is": (
            "xlm-roberta",
            json_and({**uni, "normalizer": {"type": "Lowercase"}}, **AS_IT_IS),
        ),
        "camembert": ("camembert", json_and(unknown_elsewhere(["<s>", "</s>", "<pad>", "<unk>"]))),
        "camembert, extra token": (
            "camembert",
            json_and(unknown_elsewhere(["<pad>", "<unk>", "<s>", "</s>"]), additional_special_tokens=["Zoo"]),
        ),
        "mpnet": ("mpnet", json_and(mpnet, tokenizer_class="MPNetTokenizer")),
        "mpnet, cased": ("mpnet", json_and(mpnet, do_lower_case=False)),
        "mpnet, vocab.txt": ("mpnet", {"vocab.txt": words("<s>", "<pad>", "</s>", "[UNK]", "<mask>")}),
        "mpnet, typed mask": (
            "mpnet",
            json_and(mpnet, mask_token={"__type": "AddedToken", "content": "<mask>", **spread}),
        ),
        "modernbert": ("modernbert", json_and(spaced)),
        "modernbert, another class": (
            "modernbert",
            json_and(bpe, tokenizer_class="RobertaTokenizer", add_prefix_space=True),
        ),
        "modernbert, decoder": (
            "modernbert",
            json_and(
                bpe,
                **AS_IT_IS,
                added_tokens_decoder={"7": added("Zoo", special=False, normalized=True)},
                cls_token="<s>",
                mask_token="bank",
            ),
        ),
    }


def write_case(name, folder):
    """Write the files of a case; gives config.json."""
    model_type, contents = cases()[name]
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in {"config.json": {"model_type": model_type}, **contents}.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / file).write_text(text, encoding="utf-8", newline="")
    return {"model_type": model_type}


def digest(encodings):
    """SHA-256 of the ids, offsets and words of all texts."""
    told = [[one.ids, [list(pair) for pair in one.offsets], one.word_ids] for one in encodings]
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()


def train():
    """The three vocabularies, of hard pieces."""
    from tests.runtime.test_hard_text import PIECES
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    corpus = ["the quick Brown fox jumps over the lazy dog", "bank banking Zoo zoo new york ångström", *PIECES] * 3
    known = sorted({c for text in corpus for c in text + text.lower() if c.isprintable() and c != " " and ord(c) % 7})
    plain = ["the", "bank", "Bank", "##ing", "caf", "café", "zoo", "Zoo", "new", "york", "[query]", "[q]"]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = dict.fromkeys([*special, *known, *("##" + c for c in known), *plain])
    word_piece = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    word_piece.normalizer, word_piece.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    word_piece.add_special_tokens(special)
    word_piece.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte_level.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=450, special_tokens=special, initial_alphabet=alphabet)
    )
    byte_level.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    unigram = Tokenizer(models.Unigram())
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    unigram.train_from_iterator(
        corpus,
        trainers.UnigramTrainer(vocab_size=400, special_tokens=special, unk_token="<unk>"),
    )
    unigram.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    for name, made in (("word_piece", word_piece), ("byte_level", byte_level), ("unigram", unigram)):
        document = json.dumps(json.loads(made.to_str()), ensure_ascii=False, separators=(",", ":"))
        (FOLDER / f"{name}.json").write_text(document + "\n", encoding="utf-8")


def main():
    import tempfile

    import transformers

    FOLDER.mkdir(exist_ok=True)
    if not (FOLDER / "unigram.json").is_file():
        train()
    expected, hard = {}, texts()
    for name in cases():
        with tempfile.TemporaryDirectory() as folder:
            write_case(name, Path(folder))
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        backend = tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        encodings = backend.encode_batch(hard)
        for text, encoding in zip(hard, encodings, strict=True):
            assert tokenizer(text)["input_ids"] == encoding.ids
        expected[name] = {
            "class": type(tokenizer).__name__,
            "digest": digest(encodings),
            "ids": [encoding.ids for encoding in encodings[:SHOWN]],
        }
    document = {"transformers": transformers.__version__, "texts": len(hard), "cases": expected}
    GOLDEN.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    print(len(expected), "cases;", len({case["digest"] for case in expected.values()}), "different")


if __name__ == "__main__":
    main()
