"""Checkpoints that are not exported: through the command, as one line, with exit code 2 and nothing left behind.

What each reader refuses, and in which words, is tested beside it; here is what a person sees.
"""

import json
import pickle
import random

import numpy as np
import pytest
from tests.conftest import tiny_tokenizer
from tests.export.checkpoints import (
    WEIGHTS,
    change_header,
    change_json,
    change_weights,
    make_sentence_transformer,
    read_parts,
    read_weights,
    write_parts,
    write_weights,
)
from tokenizers import Tokenizer, models, pre_tokenizers

from polyseme.artifact import Artifact
from polyseme.cli.main import main

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
NORM = "embeddings.LayerNorm.weight"
MEAN = {"pooling_mode_mean_tokens": True}


def export(capsys, source, target, *options):
    """Exit code, and the line that begins with the program's name, if any."""
    code = main(["export", str(source), "-o", str(target), "--precision", "fp32", *options])
    out, err = capsys.readouterr()
    complaints = [line for line in err.splitlines() if line.startswith("polyseme: error: ")]
    assert "Traceback" not in err
    if code == 0:
        assert complaints == []
        Artifact.open(target)
        return 0, ""
    assert out == ""
    assert err.splitlines()[-1:] == complaints, "one line, the last"
    assert complaints[0].isprintable()
    assert len(complaints[0]) < 400
    folder = target.parent
    left = [path.name for path in folder.iterdir() if target.name in path.name] if folder.exists() else []
    assert left == [], "nothing is left behind"
    return code, complaints[0].removeprefix("polyseme: error: ")


def config(**changes):
    return lambda folder: change_json(folder / "config.json", **changes)


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def gone(name):
    return lambda folder: (folder / name).unlink()


def weights(**changes):
    """Replace weights; None removes them."""

    def change(those):
        for name, values in changes.items():
            those.pop(name)
            if values is not None:
                those[name] = values

    return lambda folder: change_weights(folder, change)


def header(**changes):
    return lambda folder: change_header(folder, NORM, **changes)


def content(change):
    def apply(folder):
        (folder / WEIGHTS).write_bytes(change((folder / WEIGHTS).read_bytes()))

    return apply


def integers(folder):
    write_weights(folder / WEIGHTS, read_weights(folder), "I32")


def index(weight_map):
    def apply(folder):
        (folder / WEIGHTS).unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return apply


def modules(*kinds, **pooling):
    return lambda folder: make_sentence_transformer(folder, *kinds, **pooling)


def sentence_transformer(name, **fields):
    def apply(folder):
        make_sentence_transformer(folder, "Transformer", "Pooling", **MEAN)
        change_json(folder / name, **fields)

    return apply


def other_tokenizer(make):
    return lambda folder: make().save(str(folder / "tokenizer.json"))


def words_without_unknown(letter):
    tokenizer = Tokenizer(models.WordPiece({letter: 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def no_words():
    return Tokenizer(models.BPE())


def larger():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["extra"])
    return tokenizer


REFUSED = {
    "model_type": (config(model_type="gpt2"), "config.json model_type 'gpt2' has no native mapping"),
    "activation": (config(hidden_act="gelu_new"), "config.json hidden_act 'gelu_new' is not supported"),
    "relative positions": (config(position_embedding_type="relative_key"), "position_embedding_type 'relative_key'"),
    "decoder": (config(is_decoder=True), "config.json is_decoder 'True' is not supported"),
    "no config": (gone("config.json"), "config.json is missing in tiny"),
    "config no JSON": (text("config.json", "{"), "config.json cannot be read"),
    "config a list": (text("config.json", "[]"), "config.json: expected a JSON object, got list"),
    "config of 5,000 digits": (text("config.json", '{"a":' + "9" * 5000 + "}"), "config.json cannot be read"),
    "absurd width": (config(hidden_size=10**9), "config.json hidden_size: expected an integer within"),
    "negative width": (config(hidden_size=-32), "config.json hidden_size: expected an integer within"),
    "no width": (config(hidden_size=None), "config.json hidden_size: expected an integer within"),
    "a bool for layers": (config(num_hidden_layers=True), "config.json num_hidden_layers: expected an integer"),
    "NaN for epsilon": (config(layer_norm_eps=float("nan")), "config.json layer_norm_eps: expected a number"),
    "heads": (config(num_attention_heads=5), "hidden_size 32 is not a multiple of num_attention_heads 5"),
    "no weight": (weights(**{NORM: None}), f"weight {NORM} is missing"),
    "misshapen weight": (weights(**{NORM: np.ones((4, 8))}), f"weight {NORM} has shape [4, 8]; config.json asks for"),
    "NaN weight": (weights(**{NORM: np.full(32, np.nan)}), f"weight {NORM} has numbers that are not finite"),
    "integer weights": (integers, "is I32; one of F64, F32, F16, BF16 is needed"),
    "no weights": (gone(WEIGHTS), "tiny has no model.safetensors"),
    "no shard": (index({NORM: "model-1.safetensors"}), "names model-1.safetensors, which is missing"),
    "index out of the folder": (index({NORM: "../x.safetensors"}), "which is not a plain file name"),
    "empty index": (index({}), "has no weight_map of file names"),
    "empty weights": (content(lambda _: b""), "model.safetensors is corrupt or incomplete: 0 bytes"),
    "half the weights": (content(lambda whole: whole[: len(whole) // 2]), "corrupt or incomplete: tensor"),
    "absurd header": (content(lambda whole: b"\xff" * 8 + whole[8:]), "corrupt or incomplete: a header of 18446744"),
    "header no JSON": (content(lambda whole: whole[:8] + b"x" + whole[9:]), "the header is not JSON"),
    "garbage behind": (content(lambda whole: whole + b"1234"), "4 bytes behind the last tensor"),
    "overlap": (header(data_offsets=[0, 128]), "corrupt or incomplete: tensor"),
    "out of range": (header(data_offsets=[1 << 40, (1 << 40) + 128]), "corrupt or incomplete: tensor"),
    "wrong dtype": (header(dtype="F16"), "corrupt or incomplete: tensor"),
    "no tokenizer": (gone("tokenizer.json"), "tokenizer.json is missing in tiny"),
    "tokenizer no JSON": (text("tokenizer.json", "{"), "tokenizer.json cannot be read"),
    "larger tokenizer": (other_tokenizer(larger), "tokenizer.json has ids up to 89"),
    **{
        f"tokenizer of {letter} alone": (
            other_tokenizer(lambda letter=letter: words_without_unknown(letter)),
            "tokenizer.json cannot encode texts: WordPiece error: Missing [UNK]",
        )
        for letter in "ab"  # the first is encoded when it is loaded, the second is not
    },
    "tokenizer without words": (other_tokenizer(no_words), "tokenizer.json finds no token in 20 sentences"),
    "dense": (modules("Transformer", "Pooling", "Dense", **MEAN), "config.json is missing in 2_Dense"),
    "dense before": (
        modules("Transformer", "Dense", "Pooling", **MEAN),
        "modules.json has Transformer, Dense, Pooling;",
    ),
    "unknown module": (
        modules("Transformer", "Pooling", "Magic", **MEAN),
        "modules.json: sentence_transformers.models.M",
    ),
    "adapter": (
        text("adapter_config.json", "{}"),
        "adapter_config.json: the model is an adapter over other weights; m",
    ),
    "weights elsewhere": (config(transformers_weights="x.safetensors"), "config.json transformers_weights 'x.safete"),
    "weights not fetched": (text(WEIGHTS, POINTER), f"{WEIGHTS} is a Git LFS pointer, not the file: fetch that with"),
    "tokenizer not fetched": (text("tokenizer.json", POINTER), "tokenizer.json is a Git LFS pointer, not the file"),
    "chat template": (text("chat_template.jinja", "{{messages}}"), "the tokenizer has a chat template, into which"),
    "short texts": (
        text("tokenizer_config.json", '{"model_max_length": 2}'),
        "the model's texts end after 2 tokens; 3",
    ),
    "limit no number": (
        text("tokenizer_config.json", '{"model_max_length": "9"}'),
        "tokenizer_config.json model_max_l",
    ),
    "module order": (modules("Pooling", "Transformer", **MEAN), "modules.json has Pooling, Transformer;"),
    "weighted mean": (modules("Transformer", "Pooling", pooling_mode="weightedmean"), "1_Pooling pools by weightedm"),
    "no pooling": (modules("Transformer", "Pooling", pooling_mode=[]), "1_Pooling pools by nothing"),
    "lower case": (sentence_transformer("sentence_bert_config.json", do_lower_case=1), "do_lower_case: expected true"),
    "no length": (sentence_transformer("sentence_bert_config.json", max_seq_length=0), "max_seq_length: expected an"),
}


@pytest.mark.parametrize(("spoil", "why"), REFUSED.values(), ids=REFUSED)
def test_a_spoilt_checkpoint_is_refused_in_one_line(checkpoint, tmp_path, capsys, spoil, why):
    spoil(checkpoint)
    code, message = export(capsys, checkpoint, tmp_path / "out")
    assert code == 2
    assert why in message


class Marker:
    """Pickled, it is a call that makes a file where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_no_code_of_a_pickle_runs(checkpoint, tmp_path, capsys, name):
    (checkpoint / WEIGHTS).unlink()
    (checkpoint / name).write_bytes(pickle.dumps(Marker(tmp_path / "it-ran")))
    code, message = export(capsys, checkpoint, tmp_path / "out")
    assert code == 2
    assert message.startswith(f"{name} is a pickle, which can run any code and is never loaded")
    assert "save_pretrained(OUT, safe_serialization=True)" in message
    assert not (tmp_path / "it-ran").exists()
    pickle.loads((checkpoint / name).read_bytes()).close()
    assert (tmp_path / "it-ran").exists(), "it would have run"


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_in_the_header_is_refused_or_harmless(checkpoint, tmp_path, capsys, seed):
    whole = bytearray((checkpoint / WEIGHTS).read_bytes())
    header_end = 8 + int.from_bytes(whole[:8], "little")
    places = random.Random(seed)
    whole[places.randrange(header_end)] ^= 1 << places.randrange(8)
    (checkpoint / WEIGHTS).write_bytes(whole)
    code, message = export(capsys, checkpoint, tmp_path / "out")
    assert (code, bool(message)) in ((0, False), (2, True))


def test_two_tensors_at_one_place_are_refused(checkpoint, tmp_path, capsys):
    fields, data = read_parts(checkpoint / WEIGHTS)
    fields["embeddings.LayerNorm.bias"]["data_offsets"] = fields[NORM]["data_offsets"]
    write_parts(checkpoint / WEIGHTS, fields, data)
    assert "begins at byte" in export(capsys, checkpoint, tmp_path / "out")[1]


def test_a_tokenizer_without_special_tokens_is_fine(checkpoint, tmp_path, capsys):
    tokenizer = tiny_tokenizer()
    document = {**json.loads(tokenizer.to_str()), "post_processor": None}
    (checkpoint / "tokenizer.json").write_text(json.dumps(document))
    assert export(capsys, checkpoint, tmp_path / "out")[0] == 0
    assert main(["verify", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("length", [1, 2, 129])
def test_a_length_out_of_range_is_refused(tiny_checkpoint, tmp_path, capsys, length):
    code, message = export(capsys, tiny_checkpoint, tmp_path / "out", "--max-length", str(length))
    assert (code, message) == (2, f"--max-length: got {length}; limits 3..128, the model's positions")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("hf:../x y", "is not a model id: write hf:OWNER/NAME"),
        ("package:no_such_package_here", "is not installed here"),
        ("", "SOURCE is empty"),
    ],
)
def test_a_source_that_leads_nowhere_is_refused(tmp_path, capsys, source, why):
    code, message = export(capsys, source, tmp_path / "out")
    assert code == 2
    assert why in message


def test_a_hub_that_cannot_be_reached_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    for constants in ("huggingface_hub.constants.ENDPOINT", "huggingface_hub.hf_api.constants.ENDPOINT"):
        monkeypatch.setattr(constants, "http://127.0.0.1:1")
    code, message = export(capsys, "hf:some/model", tmp_path / "out")
    assert code == 2
    assert "give a local directory, or package:NAME" in message


def dead(folder):
    """The last layer gives zero for every token."""
    name = "encoder.layer.1.output.LayerNorm."
    weights(**{name + "weight": np.zeros(32), name + "bias": np.zeros(32)})(folder)


def overflowing(folder):
    """Finite in float64, not in float32."""
    name = "encoder.layer.0.intermediate.dense.weight"
    weights(**{name: np.full((64, 32), 3e38), "encoder.layer.0.output.dense.weight": np.full((32, 64), 3e38)})(folder)


@pytest.mark.parametrize("spoil", [dead, overflowing])
def test_a_model_that_computes_nothing_is_refused_without_warnings(checkpoint, tmp_path, capsys, spoil):
    spoil(checkpoint)
    code, message = export(capsys, checkpoint, tmp_path / "out")
    assert code == 2
    assert message.startswith("fp32 is not equal to the reference: ")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_device_in_place_of_a_file_is_not_read(checkpoint, tmp_path, capsys, name):
    """Reading /dev/zero would never end; /dev/null stands for it here."""
    (checkpoint / name).unlink()
    (checkpoint / name).symlink_to("/dev/null")
    code, message = export(capsys, checkpoint, tmp_path / "out")
    assert code == 2
    assert f"{name} is missing in tiny" in message


def test_folders_on_the_way_to_the_target_are_removed_too(checkpoint, tmp_path, capsys):
    gone("tokenizer.json")(checkpoint)
    assert export(capsys, checkpoint, tmp_path / "a" / "b" / "out")[0] == 2
    assert not (tmp_path / "a").exists()
