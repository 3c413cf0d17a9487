import json

import pytest

from polyseme.export import CheckpointError
from polyseme.export.gates.samples import SENTENCES
from polyseme.export.reading import tokenization
from polyseme.export.reading.tokenization import load_tokenizer, lower_case, sample_ids
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer

VOCABULARY = 89


def test_sample_ids_are_of_every_sentence(tiny_checkpoint):
    texts = sample_ids(load_tokenizer(tiny_checkpoint / "tokenizer.json", vocab_size=VOCABULARY))
    assert len(texts) == len(SENTENCES)
    assert {(text[0], text[-1]) for text in texts} == {(2, 3)}
    assert max(map(len, texts)) > 200, "nothing is cut"


def test_sample_ids_leave_out_texts_without_tokens(checkpoint):
    path = checkpoint / "tokenizer.json"
    document = json.loads(path.read_text())
    document |= {"post_processor": None, "added_tokens": [],
                 "model": {"type": "BPE", "vocab": {"$": 7}, "merges": []}}  # fmt: skip
    path.write_text(json.dumps(document))
    assert sample_ids(load_tokenizer(path, vocab_size=VOCABULARY)) == [[7]], "one sentence has a dollar"


def test_a_panic_of_the_library_is_one_line(checkpoint, capfd):
    """A template that names a special token which it does not describe."""
    path = checkpoint / "tokenizer.json"
    document = json.loads(path.read_text())
    document["post_processor"]["special_tokens"] = {}
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot ") as caught:
        sample_ids(load_tokenizer(path, vocab_size=VOCABULARY))
    assert str(caught.value).isprintable()
    capfd.readouterr()  # where the library panics, it also writes to stderr itself


NOT_LOWER = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": False, "lowercase": False}


@pytest.mark.parametrize("normalizer", [None, {"type": "NFC"}, {"type": "BertNormalizer", **NOT_LOWER}])
def test_lower_casing_leaves_offsets_of_the_text_as_it_was_given(checkpoint, normalizer):
    path = checkpoint / "tokenizer.json"
    document = json.loads(path.read_text()) | {"normalizer": normalizer}
    document["model"]["vocab"]["i\u0307"] = document["model"]["vocab"].pop("z")
    path.write_text(json.dumps(document))
    text = "AB İSa E\u0301b \U0001d400 B"  # İ becomes two characters; NFC makes one of E and its accent
    options = EncodeOptions(limit=64)
    (before,) = load_tokenizer(path, vocab_size=VOCABULARY).tokenize([text], options)
    assert before.tokens[1:-1] == ["[UNK]"] * 5, "capital letters are unknown"
    lower_case(path)
    (after,) = load_tokenizer(path, vocab_size=VOCABULARY).tokenize([text], options)
    assert after.tokens[1:-1] == ["a", "##b", "i\u0307", "##s", "##a", "[UNK]", "[UNK]", "b"]
    spans = [text[start:end] for start, end in after.offsets[1:-1]]
    assert spans == ["A", "B", "İ", "S", "a", "E\u0301b", "\U0001d400", "B"]


def test_lower_casing_is_not_added_to_a_tokenizer_that_does_it(checkpoint):
    path = checkpoint / "tokenizer.json"
    content = path.read_bytes()
    lower_case(path)
    assert path.read_bytes() == content


def test_a_tokenizer_that_cannot_be_read_is_not_lower_cased(checkpoint):
    (checkpoint / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"^tokenizer\.json cannot "):
        lower_case(checkpoint / "tokenizer.json")


class Panic(BaseException):
    pass


@pytest.mark.parametrize("error", [Exception("a\x1b[2J\nb"), Panic("a\x1b[2J\nb")])
def test_whatever_encoding_raises_is_refused(tiny_checkpoint, monkeypatch, error):
    def fail(*_):
        raise error

    tokenizer = load_tokenizer(tiny_checkpoint / "tokenizer.json", vocab_size=VOCABULARY)
    monkeypatch.setattr(Tokenizer, "encode", fail)
    with pytest.raises(CheckpointError) as caught:
        sample_ids(tokenizer)
    assert str(caught.value) == r"tokenizer.json cannot encode texts: a\x1b[2J\nb"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_interruptions_pass(monkeypatch, tmp_path, interruption):
    def interrupted(*_, **__):
        raise interruption

    monkeypatch.setattr(tokenization, "Tokenizer", interrupted)
    with pytest.raises(interruption):
        load_tokenizer(tmp_path / "tokenizer.json", vocab_size=VOCABULARY)
