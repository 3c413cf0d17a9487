"""The tokenizer.json files of the tiny models, as documents: what a library writes differs from version to version."""

from tests.reference.making.vocabularies import (
    BERT_SPECIAL,
    MERGES,
    MPNET_SPECIAL,
    ROBERTA_SPECIAL,
    byte_pairs,
    unigrams,
    word_pieces,
)


def added(content, number, **flags):
    """An entry of added_tokens."""
    fields = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content, **fields, **flags}


def template(first, last, ids):
    """A post-processor that puts a token to each side."""
    tokens = {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in (first, last)}
    one, end = ({"SpecialToken": {"id": token, "type_id": 0}} for token in (first, last))
    single = [one, {"Sequence": {"id": "A", "type_id": 0}}, end]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": last, "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}


def document(model, **parts):
    """A whole tokenizer.json; parts that are not given are null."""
    names = ("truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
    return {"version": "1.0", **{name: parts.get(name, [] if name == "added_tokens" else None) for name in names},
            "model": model}  # fmt: skip


def bert(ids=None, *, special=BERT_SPECIAL, lowercase=True, strip_accents=None, chinese=True, **parts):
    """Word pieces: as BERT's own, from the arguments of its normalizer."""
    ids = ids or word_pieces(special)
    cls, sep, unknown = ("<s>", "</s>", "[UNK]") if "<s>" in special else ("[CLS]", "[SEP]", "[UNK]")
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": chinese,
                  "strip_accents": strip_accents, "lowercase": lowercase}  # fmt: skip
    model = {"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": ids}  # fmt: skip
    usual = {
        "added_tokens": [added(token, ids[token]) for token in special],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": template(cls, sep, ids),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    }
    return document(model, **{**usual, **parts})


def mpnet(ids, **parts):
    """Word pieces between RoBERTa's special tokens."""
    entries = [*(added(token, ids[token]) for token in MPNET_SPECIAL), added("<mask>", ids["<mask>"], lstrip=True)]
    ends = {"type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]],
            "trim_offsets": True, "add_prefix_space": False}  # fmt: skip
    return bert(ids, special=MPNET_SPECIAL, added_tokens=entries, post_processor=ends, **parts)


def roberta(ids=None, *, add_prefix_space=False, trim_offsets=True, special=ROBERTA_SPECIAL, **parts):
    """Byte pairs."""
    ids = ids or byte_pairs(special)
    bytes_ = {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": trim_offsets,
        "use_regex": True,
    }
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
             "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": ids,
             "merges": [list(pair) for pair in MERGES]}  # fmt: skip
    usual = {
        "added_tokens": [
            *(added(token, ids[token]) for token in special), added("<mask>", ids["<mask>"], lstrip=True)
        ],
        "pre_tokenizer": bytes_,
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]],
                           "trim_offsets": trim_offsets, "add_prefix_space": add_prefix_space},
        "decoder": {**bytes_, "add_prefix_space": True},
    }  # fmt: skip
    return document(model, **{**usual, **parts})


def xlm_roberta(scores=None, *, split=True, special=ROBERTA_SPECIAL, **parts):
    """Unigrams; split at white space first, as the hub's own XLM-R, or not, as bge-m3."""
    scores = scores or unigrams(special)
    ids = {token: i for i, (token, _) in enumerate(scores)}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    both = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
    model = {
        "type": "Unigram",
        "unk_id": ids["<unk>"],
        "vocab": [list(pair) for pair in scores],
        "byte_fallback": False,
    }
    usual = {
        "added_tokens": [
            *(added(token, ids[token]) for token in special), added("<mask>", ids["<mask>"], lstrip=True)
        ],
        "pre_tokenizer": both if split else metaspace,
        "post_processor": template("<s>", "</s>", ids),
        "decoder": metaspace,
    }  # fmt: skip
    return document(model, **{**usual, **parts})
