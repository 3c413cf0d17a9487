"""examples/finetune.py trains the layers that it names, in either precision; what it saves is exported."""

import importlib
import importlib.util

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.export.encoders.architectures.test_heads import FP32, own_logits

from polyseme.artifact import Precision
from polyseme.export import export_model
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine

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
        vocab_size=9,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,  # so that the first token's vector tells the words apart
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


def test_what_is_saved_is_exported_and_predicts_as_in_torch(finetune, checkpoint, tmp_path, monkeypatch):
    data, saved = tmp_path / "texts.tsv", tmp_path / "saved"
    names = np.array(["kind", "harsh"])[LABELS]
    rows = [f"{part}\t{text}\t{name}" for part in ("train", "test") for text, name in zip(TEXTS, names, strict=True)]
    data.write_text("\n".join(["part\ttext\tlabel", *rows]))
    columns = ["--data", str(data), "--text", "text", "--label", "label"]
    monkeypatch.setattr("sys.argv", ["finetune.py", checkpoint, *columns, "--save", str(saved)])
    finetune.main()
    transformers = importlib.import_module("transformers")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(saved)
    pooler = load_file(f"{checkpoint}/model.safetensors")["pooler.dense.weight"]
    assert np.abs(model.bert.pooler.dense.weight.detach().numpy() - pooler).max() > finetune.LEARNING_RATE

    artifact = export_model(str(saved), tmp_path / "out", FP32)
    assert artifact.manifest.model.heads["classification"].labels == ("harsh", "kind")
    inputs = transformers.AutoTokenizer.from_pretrained(saved)(TEXTS[:4], return_tensors="pt")
    engine = PaddedEngine(artifact, Device(execution_provider=CPU, precision=Precision.FP32))
    found = own_logits(artifact, engine, [(ids, len(ids)) for ids in inputs["input_ids"].tolist()])
    np.testing.assert_allclose(found, model(**inputs).logits.detach().numpy(), atol=1e-5)
    assert np.argmax(found, axis=1).tolist() == [1, 0, 1, 0], "learned"
