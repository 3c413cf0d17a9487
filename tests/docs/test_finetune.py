"""examples/finetune.py trains the layers that it names, in either precision."""

import importlib
import importlib.util

import numpy as np
import pytest

pytestmark = [
    pytest.mark.transformers,
    pytest.mark.filterwarnings("ignore"),  # those of torch and transformers are not ours to mend
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers"))), reason="needs torch and transformers"
    ),
]
TEXTS, LABELS = ["good", "bad", "fine", "poor"] * 4, np.array([0, 1, 0, 1] * 4)


@pytest.fixture
def finetune():
    return importlib.import_module("examples.finetune")


@pytest.fixture
def checkpoint(tmp_path):
    """A BERT of three layers, and a tokenizer that knows the words."""
    transformers = importlib.import_module("transformers")
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(TEXTS))]))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize(("tuned", "trained"), [(2, {1, 2}), (None, {0, 1, 2})])
def test_the_layers_that_are_named_change(finetune, checkpoint, tuned, trained, bfloat16):
    model = finetune.Classifier(checkpoint, 2, tuned, bfloat16=bfloat16)
    weights = [layer.output.dense.weight for layer in model.bert.encoder.layer]
    before = [weight.detach().clone() for weight in weights]
    model.fit(TEXTS, LABELS, epochs=5)
    moved = [float((weight.detach() - old).abs().max()) for weight, old in zip(weights, before, strict=True)]
    assert {layer for layer, by in enumerate(moved) if by > finetune.LEARNING_RATE} == trained
