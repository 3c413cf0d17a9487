"""Checkpoints' tokenizers against what transformers' AutoTokenizer made of thousands of texts (tests/data/golden)."""

import json

import pytest
from tests.data.golden.make_heads import HEADS
from tests.data.golden.make_heads import TEXTS as PAIRED
from tests.data.golden.make_tokenizers import GOLDEN, SHOWN, added, cases, digest, texts, write_case
from tokenizers import Tokenizer

from polyseme.export import CheckpointError, ExportError, UnsupportedError
from polyseme.export.reading.tokenizer.classes import passes_token_types, write_tokenizer
from polyseme.export.reading.tokenizer.files import read_tokenizer_files
from polyseme.runtime.text.tokenizer import Tokenizer as RuntimeTokenizer

EXPECTED = json.loads(GOLDEN.read_text(encoding="utf-8"))
TEXTS = texts()
VOCABULARY = 1000


def made(folder, config, vocab_size=VOCABULARY):
    target = folder / "made.json"
    write_tokenizer(folder, target, read_tokenizer_files(folder), config, vocab_size=vocab_size)
    tokenizer = Tokenizer.from_file(str(target))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def refusal(folder, config, kind=ExportError, vocab_size=VOCABULARY):
    with pytest.raises(kind) as caught:
        made(folder, config, vocab_size)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_the_golden_has_every_case():
    assert sorted(EXPECTED["cases"]) == sorted(cases())
    assert EXPECTED["texts"] == len(TEXTS) > 3000


@pytest.mark.parametrize("name", sorted(EXPECTED["cases"]))
def test_ids_offsets_and_words_are_those_of_transformers(tmp_path, name):
    expected = EXPECTED["cases"][name]
    config = write_case(name, tmp_path)
    encodings = made(tmp_path, config).encode_batch(TEXTS)
    for text, encoding, ids in zip(TEXTS, encodings, expected["ids"], strict=False):
        assert encoding.ids == ids, ascii(text)
    assert len(expected["ids"]) == SHOWN
    assert digest(encodings) == expected["digest"]


@pytest.mark.parametrize("name", ["bert", "bert, truncation and padding", "modernbert", "mpnet", "roberta, as it is"])
def test_a_file_that_the_class_would_not_change_is_copied(tmp_path, name):
    made(tmp_path, write_case(name, tmp_path))
    assert (tmp_path / "made.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(("name", "config", "why"), [
    ("bert, vocab.txt", {"tokenizer_class": "BertJapaneseTokenizer"}, "tokenizer class BertJapaneseTokenizer is not"),
    ("bert", {"tokenizer_class": "BertJapaneseTokenizer"}, "tokenizer class BertJapaneseTokenizer is not supported"),
    ("bert", {"tokenizer_class": "NoSuchTokenizer"}, "tokenizer class NoSuchTokenizer is not supported"),
    ("roberta", {"tokenizer_class": "PhobertTokenizer"}, "tokenizer class PhobertTokenizer is not supported"),
    ("bert, vocab.txt", {"auto_map": {"AutoTokenizer": ["own.PieceTokenizer", None]}},
     "tokenizer_config.json auto_map: own.PieceTokenizer is code of its own, which is never run"),
    ("bert", {"auto_map": [None, "own.FastTokenizer"]}, "tokenizer_config.json auto_map: own.FastTokenizer is code"),
    ("bert", {"tokenizer_class": "RobertaTokenizer"},
     "tokenizer.json has a WordPiece model, and RobertaTokenizer would make a BPE of it; where tokenizer.json is"),
    ("roberta", {"tokenizer_class": "XLMRobertaTokenizer"}, "tokenizer.json has a BPE model, and XLMRobertaTokenizer"),
    ("bert", {"tokenizer_class": 7}, "tokenizer_config.json tokenizer_class: expected a name, got 7"),
    ("bert", {"split_special_tokens": True}, "tokenizer_config.json split_special_tokens: True is not supported"),
    ("bert", {"fast_tokenizer_files": ["tokenizer.4.0.json"]}, "tokenizer_config.json fast_tokenizer_files: "),
    ("bert", {"do_lower_case": 1}, "tokenizer_config.json do_lower_case: expected true or false, got 1"),
    ("bert, vocab.txt", {"tokenizer_class": "PreTrainedTokenizerFast"}, "tokenizer.json is missing in "),
    ("roberta, vocab.json", {"tokenizer_class": "BertTokenizer"}, "tokenizer.json is missing in "),
])  # fmt: skip
def test_what_is_not_known_is_refused(tmp_path, name, config, why):
    of_model = write_case(name, tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert refusal(tmp_path, of_model).startswith(why)


@pytest.mark.parametrize("model_type", ["albert", "", None, 3])
def test_a_class_that_no_file_names_is_not_guessed(tmp_path, model_type):
    write_case("bert", tmp_path)
    assert "has no tokenizer_class" in refusal(tmp_path, {"model_type": model_type}, UnsupportedError)


def test_token_types_of_another_kind_are_refused(tmp_path):
    config = write_case("bert, as it is", tmp_path)
    document = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    document["post_processor"]["single"][1]["Sequence"]["type_id"] = 1
    (tmp_path / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    assert made(tmp_path, config), "the class passes none to the model"
    options = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "token_type_ids"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(options))
    assert refusal(tmp_path, config, UnsupportedError).startswith("tokenizer.json gives tokens another type than 0")


def test_the_class_may_stand_in_config(tmp_path):
    write_case("bert, cased file, no config", tmp_path)
    tokenizer = made(tmp_path, {"model_type": "bert", "tokenizer_class": "PreTrainedTokenizerFast"})
    assert json.loads(tokenizer.to_str())["normalizer"]["lowercase"] is False


def test_a_mask_that_nothing_uses_may_be_missing(tmp_path):
    """transformers gives it an id behind the word table, with which its model fails."""
    config = write_case("bert, no mask", tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    rows = len((tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines())
    assert max(made(tmp_path, config, rows).get_vocab().values()) == rows - 1
    assert made(tmp_path, config, rows + 1).token_to_id("[MASK]") == rows, "it has a row"


@pytest.mark.parametrize("role", ["cls_token", "sep_token", "unk_token", "pad_token"])
def test_other_special_tokens_may_not(tmp_path, role):
    config = write_case("bert, vocab.txt", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({role: "[new]"}))
    assert refusal(tmp_path, config, CheckpointError, 100) == f"the vocabulary has no '[new]', the {role}"


@pytest.mark.parametrize(("file", "content", "why"), [
    ("added_tokens.json", {"[query]": "x"}, "an added token has id 'x'"),
    ("added_tokens.json", [], "added_tokens.json: expected a JSON object"),
    ("special_tokens_map.json", {"cls_token": 3}, "cls_token: 3 is no special token"),
    ("special_tokens_map.json", {"additional_special_tokens": [3]}, "extra_special_tokens: 3 is no special token"),
    ("tokenizer_config.json", {"added_tokens_decoder": {"7": added("")}}, "tokenizer_config.json added_tokens_decoder"),
])  # fmt: skip
def test_tokens_without_sense_are_refused(tmp_path, file, content, why):
    config = write_case("bert, vocab.txt", tmp_path)
    (tmp_path / file).write_text(json.dumps(content))
    assert refusal(tmp_path, config, CheckpointError).startswith(why)


PAIRS = json.loads((HEADS / "pairs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_pairs_are_those_of_transformers(tmp_path, name):
    config = write_case(name, tmp_path)
    target = tmp_path / "made.json"
    write_tokenizer(tmp_path, target, read_tokenizer_files(tmp_path), config, vocab_size=VOCABULARY, pairs=True)
    (pair,) = RuntimeTokenizer(target, vocab_size=VOCABULARY).inputs([(PAIRED[0], PAIRED[1])])
    assert pair.ids.tolist() == PAIRS[name]["ids"]
    assert pair.types.tolist() == [bool(kind) for kind in PAIRS[name]["types"]]


def test_types_are_passed_as_the_class_or_its_file_says(tmp_path):
    def passes(model_type, **options):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(options))
        return passes_token_types(read_tokenizer_files(tmp_path), {"model_type": model_type})

    assert passes("bert")
    assert not passes("roberta")
    assert not passes("bert", model_input_names=["input_ids", "attention_mask"])
    assert not passes("bert", tokenizer_class="PreTrainedTokenizerFast")
    assert passes("bert", tokenizer_class="PreTrainedTokenizerFast", model_input_names=["input_ids", "token_type_ids"])
