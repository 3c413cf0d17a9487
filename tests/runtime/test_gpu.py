"""What only a GPU can show; skipped with a reason where there is none."""

import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS, TOKEN_VECTORS, half
from polyseme.export.graphs.standard_operators import standard
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, choose_device
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.verification.proof import prove

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def artifact(minilm_artifact):
    return Artifact.open(minilm_artifact)


@pytest.fixture(scope="module")
def device(artifact):
    try:
        return choose_device("cuda", artifact)
    except RuntimeUnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module", params=["padded", "packed", "replayed"])
def engine(artifact, device, request):
    if request.param == "padded":
        return PaddedEngine(artifact, device)
    return PackedEngine(artifact, [device], **({} if request.param == "replayed" else {"buckets": ()}))


@pytest.fixture(scope="module")
def reference(artifact):
    return PaddedEngine(artifact, Device(execution_provider=CPU, precision=Precision.FP32))


def mixes(count, most_texts, longest=200, seed=3):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        lengths = rng.integers(1, longest, rng.integers(1, most_texts + 1))
        yield [rng.integers(1000, 30000, length).tolist() for length in lengths]


def test_a_server_takes_the_packed_engine_in_fp16(artifact, device):
    assert (device.execution_provider, device.precision) == (CUDA, Precision.FP16)
    assert isinstance(make_engine(artifact, [device]), PackedEngine if device.flash else PaddedEngine)


def test_the_device_is_proven(engine, artifact):
    proof = prove(engine, artifact)
    assert proof.token_cosine >= 0.9999
    assert proof.pooled_cosine >= 0.999995


def test_texts_agree_with_fp32_on_the_cpu_whatever_the_mix(engine, reference):
    for texts in mixes(20, 24):
        got, want = (one.run(Variant.EMBED, one.collate(texts), [NORMALIZED])[0] for one in (engine, reference))
        assert np.einsum("nd,nd->n", got, want).min() >= 0.99999


def test_every_state_of_every_token_agrees_with_fp32_on_the_cpu(engine, reference):
    for texts in mixes(5, 12):
        batches = [one.collate(texts) for one in (engine, reference)]
        got, want = (
            one.run(Variant.LAYERS, batch, [TOKEN_VECTORS], every_state(batch, 6))[0]
            for one, batch in zip((engine, reference), batches, strict=True)
        )
        norms = np.linalg.norm(got, axis=2) * np.linalg.norm(want, axis=2)
        assert (np.einsum("lth,lth->lt", got, want) / norms).min() >= 0.9999


def test_float16_is_what_float32_rounds_to(engine):
    for texts in mixes(5, 12):
        batch = engine.collate(texts)
        halved, vectors = engine.run(Variant.EMBED, batch, [half(NORMALIZED), NORMALIZED])
        np.testing.assert_array_equal(halved, vectors.astype(np.float16))
        names = [half(SPAN_VECTORS), SPAN_VECTORS]
        halved, vectors = engine.run(Variant.LAYERS, batch, names, every_state(batch, 6))
        np.testing.assert_array_equal(halved, vectors.astype(np.float16))


def test_tensorrt_agrees_with_fp32_on_the_cpu(artifact, reference, tmp_path):
    """Builds an engine: minutes."""
    try:
        device = choose_device("tensorrt", artifact)
    except RuntimeUnavailableError as reason:
        pytest.skip(str(reason))
    shutil.copytree(artifact.directory, tmp_path / "with")
    entry = artifact.manifest.precisions[device.precision]
    fused = onnx.load(artifact.path(entry.graphs[Variant.EMBED]), load_external_data=False)
    (tmp_path / "with" / "standard.onnx").write_bytes(standard(fused).SerializeToString())
    precisions = {device.precision: replace(entry, standard="standard.onnx")}
    with_graph = Artifact(tmp_path / "with", replace(artifact.manifest, precisions=precisions))
    try:
        engine = PaddedEngine(with_graph, device, engine_cache=tmp_path / "engines")
    except RuntimeUnavailableError as reason:
        pytest.skip(str(reason))
    assert prove(engine, with_graph).pooled_cosine >= 0.999995
    for texts in mixes(20, 24):
        got, want = (one.run(Variant.EMBED, one.collate(texts), [NORMALIZED])[0] for one in (engine, reference))
        assert np.einsum("nd,nd->n", got, want).min() >= 0.99999


def test_what_is_replayed_follows_its_inputs(engine):
    """A changed binding would be ignored in a replay: other texts of one shape must give other vectors."""
    texts = [[[1, *row, 2] for row in mix] for mix in mixes(10, 1, longest=2)]
    vectors = [engine.run(Variant.EMBED, engine.collate(mix), [NORMALIZED])[0][0] for mix in texts]
    again = [engine.run(Variant.EMBED, engine.collate(mix), [NORMALIZED])[0][0] for mix in texts]
    np.testing.assert_array_equal(vectors, again)
    assert len({vector.tobytes() for vector in vectors}) == len({tuple(mix[0]) for mix in texts})
