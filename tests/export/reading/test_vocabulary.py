"""vocab.txt to tokenizer.json, against what BertTokenizerFast of transformers makes of hard texts (data/golden)."""

import json

import pytest
from tests.conftest import tiny_vocabulary
from tests.data.golden.make_vocabulary import GOLDEN, SETTINGS
from tests.runtime.test_hard_text import PIECES
from tokenizers import Tokenizer

from polyseme.artifact import Precision
from polyseme.export import CheckpointError, ExportOptions, export_model
from polyseme.export.reading.tokenizer.classes import write_tokenizer
from polyseme.export.reading.tokenizer.files import read_tokenizer_files

FP32 = ExportOptions(precisions=(Precision.FP32,))


@pytest.fixture
def source(checkpoint):
    """A checkpoint without tokenizer.json."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    vocabulary = sorted(tiny_vocabulary(), key=tiny_vocabulary().get)
    (checkpoint / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return checkpoint


def convert(folder):
    """The tokenizer of a folder of BERT's."""
    files = read_tokenizer_files(folder)
    write_tokenizer(folder, folder / "made.json", files, {"model_type": "bert"}, vocab_size=1 << 20)
    return Tokenizer.from_file(str(folder / "made.json"))


def refusal(source):
    with pytest.raises(CheckpointError) as caught:
        export_model(str(source), source.parent / "out", FP32)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_vocabulary_of_bert_is_the_tokenizer_of_its_model(minilm_source, tmp_path):
    """MiniLM has both: that of BERT's vocab.txt must do as its tokenizer.json does."""
    own = Tokenizer.from_file(str(minilm_source / "tokenizer.json"))
    own.no_padding()
    own.no_truncation()
    vocabulary = own.get_vocab()
    (tmp_path / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)), encoding="utf-8")
    made = convert(tmp_path)
    for text in [*PIECES, " ".join(PIECES), "".join(PIECES), ""]:
        got, want = made.encode(text), own.encode(text)
        assert (got.ids, got.offsets, got.special_tokens_mask) == (want.ids, want.offsets, want.special_tokens_mask)


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_ids_and_offsets_are_those_of_transformers(tmp_path, number):
    golden = json.loads(GOLDEN.read_text())
    case = golden["cases"][number]
    assert case["settings"] == SETTINGS[number]
    (tmp_path / "vocab.txt").write_text("\n".join(golden["vocabulary"]) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(case["settings"]))
    tokenizer = convert(tmp_path)
    for text, ids, offsets in zip(golden["texts"], case["ids"], case["offsets"], strict=True):
        got = tokenizer.encode(text)
        assert (got.ids, [end for pair in got.offsets for end in pair]) == (ids, offsets), ascii(text)


def test_a_checkpoint_with_a_vocabulary_alone_is_exported(source, tmp_path):
    artifact = export_model(str(source), tmp_path / "out", FP32)
    tokens = Tokenizer.from_file(str(artifact.path("tokenizer.json"))).encode("Bank").tokens
    assert tokens == ["[CLS]", "b", "##a", "##n", "##k", "[SEP]"]


@pytest.mark.parametrize(("config", "tokens"), [
    ({"do_lower_case": False}, ["[UNK]", "[UNK]"]), ({"do_lower_case": True}, ["b", "##a", "a"]),
    ({"do_lower_case": True, "strip_accents": False}, ["b", "##a", "[UNK]"]),
    ({"cls_token": {"content": "[MASK]"}}, ["b", "##a", "a"]),
])  # fmt: skip
def test_tokenizer_config_is_obeyed(source, tmp_path, config, tokens):
    (source / "tokenizer_config.json").write_text(json.dumps(config))
    artifact = export_model(str(source), tmp_path / "out", FP32)
    encoded = Tokenizer.from_file(str(artifact.path("tokenizer.json"))).encode("Ba Ä")
    assert encoded.tokens[1:-1] == tokens
    assert encoded.tokens[0] == ("[MASK]" if "cls_token" in config else "[CLS]")


@pytest.mark.parametrize(("config", "why"), [
    ({"do_lower_case": "yes"}, "tokenizer_config.json do_lower_case: expected true or false, got 'yes'"),
    ({"sep_token": 3}, "sep_token: 3 is no special token"),
    ({"sep_token": None}, "tokenizer_config.json sep_token is null; BertTokenizer needs one"),
    ({"cls_token": "<cls>"}, "the vocabulary has no '<cls>', the cls_token"),
    ({"unk_token": "<unk>"}, "the vocabulary has no '<unk>', the unk_token"),
    ({"added_tokens_decoder": []}, "tokenizer_config.json added_tokens_decoder: expected tokens by id"),
    ({"added_tokens_decoder": {"-1": {"content": "a"}}}, "an added token has id '-1'; limits 0..16777215"),
    ({"added_tokens_decoder": {"1": {"content": 7}}}, "tokenizer_config.json added_tokens_decoder: {'content': 7} is"),
    ([], "tokenizer_config.json: expected a JSON object"),
])  # fmt: skip
def test_a_configuration_without_sense_is_refused(source, config, why):
    (source / "tokenizer_config.json").write_text(json.dumps(config))
    assert refusal(source).startswith(why)


def test_a_vocabulary_that_cannot_be_read_is_refused(source):
    (source / "vocab.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    assert refusal(source) == "vocab.txt is not UTF-8"


def test_other_families_need_a_tokenizer_json(source):
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"model_type": "roberta", "pad_token_id": 1}))
    assert "tokenizer.json is missing" in refusal(source)
