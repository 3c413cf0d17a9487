"""Models of odd sizes, each exported whole: what is sound is neither refused nor ends in a traceback."""

import json
import random

import pytest
from bench.lib.random_checkpoint import random_bert
from safetensors.numpy import save_file
from tests.conftest import save_tiny_tokenizer, tiny_vocabulary

from polyseme.artifact import Precision
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.verification.proof import prove
from polyseme.runtime.verification.selfcheck import self_check

ROWS = len(tiny_vocabulary())
POSITIONS = (8, 9, 16, 33, 48, 63, 65, 67, 68, 69, 127, 128, 129, 255, 300, 512)


def sizes(seed):
    """Of a model with so many positions as no other seed has."""
    draw = random.Random(seed)
    heads = draw.choice([1, 2, 3, 4, 5, 8, 12])
    hidden = max(8 * heads, heads * draw.choice([1, 4, 16, 17, 32]))
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": draw.choice([1, 7, hidden, 4 * hidden]),
        "num_hidden_layers": draw.randint(1, 3),
        "max_position_embeddings": POSITIONS[seed],
        "type_vocab_size": draw.choice([1, 2, 3]),
        "vocab_size": draw.choice([ROWS, ROWS + 1, 97, 128, 1000]),
    }


@pytest.mark.parametrize("seed", range(len(POSITIONS)))
def test_a_model_of_any_size_is_exported_and_starts(tmp_path, seed):
    config = {"model_type": "bert", "hidden_act": "gelu", "pad_token_id": 0, **sizes(seed)}
    source = tmp_path / "odd"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(config))
    # Scores as spread as those of the tiny checkpoint: wider ones make a softmax so sharp that float32 itself errs.
    save_file(random_bert(config, scale=0.2 * (32 / config["hidden_size"]) ** 0.5), source / "model.safetensors")
    save_tiny_tokenizer(source)
    artifact = export_model(str(source), tmp_path / "out", ExportOptions(tensorrt=seed % 4 == 0))
    assert artifact.manifest.model.max_tokens == POSITIONS[seed]
    assert self_check(artifact)
    for precision in Precision:
        assert prove(PaddedEngine(artifact, Device(execution_provider=CPU, precision=precision)), artifact)
