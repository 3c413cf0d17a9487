"""Sessions on the CPU."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
import pytest
from tests.states import all_states

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS, TOKEN_VECTORS
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import TokenSelection, every_state, group_spans
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime import padded_session as module
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA
from polyseme.runtime.engines.onnxruntime.padded_session import Session, load_weights, runtime_version
from polyseme.runtime.errors import RuntimeUnavailableError

ON_CPU = Device(execution_provider=CPU, precision=Precision.FP32)
TEXTS = [[2, 7, 8, 3], [2, 9, 3], [2, *range(5, 60), 3]]


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


@pytest.mark.parametrize("precision", Precision)
def test_run_gives_outputs_in_the_order_asked_for(artifact, precision):
    session = Session(artifact, Device(execution_provider=CPU, precision=precision))
    batch = collate(TEXTS, 0)
    pooled, normalized = session.run(batch, [POOLED, NORMALIZED])
    swapped = session.run(batch, [NORMALIZED, POOLED])
    np.testing.assert_array_equal(swapped, [normalized, pooled])
    assert not np.array_equal(pooled, normalized)
    assert pooled.shape == (3, 32)


def test_sessions_share_weights(artifact):
    weights = load_weights(artifact, ON_CPU)
    batch = collate(TEXTS, 0)
    embed, layers = (Session(artifact, ON_CPU, variant, weights=weights) for variant in Variant)
    (pooled,) = embed.run(batch, [POOLED])
    last = all_states(layers, batch, 2)[-1]
    expected = [row[: len(text)].mean(axis=0) for row, text in zip(last, TEXTS, strict=True)]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)  # float32 sums in another order


def test_a_selection_is_all_that_leaves_the_session(artifact):
    session, batch = Session(artifact, ON_CPU, Variant.LAYERS), collate(TEXTS, 0)
    states = all_states(session, batch, 2)
    weights = np.array([[0, 0, 1, 1]], np.float32)
    width = batch.shape[1]
    selection = TokenSelection(
        positions=np.array([2, width + 1], np.int32),
        layer_weights=weights,
        spans=group_spans([0], [np.array([[0.5, 0.5]], np.float32)]),
    )
    tokens, spans = session.run(batch, [TOKEN_VECTORS, SPAN_VECTORS], selection)
    expected = states[2:, [0, 1], [2, 1]].sum(axis=0)
    np.testing.assert_allclose(tokens, expected[None], rtol=1e-6)
    np.testing.assert_allclose(spans, expected.mean(axis=0)[None, None, None], rtol=1e-5, atol=1e-6)


def test_every_state_leaves_padding_out(artifact):
    session, batch = Session(artifact, ON_CPU, Variant.LAYERS), collate(TEXTS, 0)
    (tokens,) = session.run(batch, [TOKEN_VECTORS], every_state(batch, 2))
    states = all_states(session, batch, 2)
    expected = np.concatenate([states[:, row, : len(text)] for row, text in enumerate(TEXTS)], axis=1)
    np.testing.assert_array_equal(tokens, expected)


def test_a_session_computes_with_the_weights_it_is_given(artifact):
    """That the shared weights are used, and not read a second time from the file."""
    given = {name: tensor.copy() for name, tensor in artifact.weights(Precision.FP32).items()}
    given["layers.1.output.norm.weight"][:] = 0.0
    given["layers.1.output.norm.bias"][:] = np.arange(32)
    weights = {name: ort.OrtValue.ortvalue_from_numpy(tensor) for name, tensor in given.items()}
    (pooled,) = Session(artifact, ON_CPU, weights=weights).run(collate(TEXTS, 0), [POOLED])
    np.testing.assert_allclose(pooled, np.tile(np.arange(32.0), (3, 1)), rtol=1e-6)


def test_threads_that_share_a_session_get_their_own_results(artifact):
    session = Session(artifact, ON_CPU)
    batches = [collate([text], 0) for text in (*TEXTS, [2, 3], [2, 40, 3])]
    alone = [session.run(batch, [NORMALIZED])[0] for batch in batches]
    together = threading.Barrier(2)

    def run_all(order):
        together.wait(timeout=300)
        return [(i, session.run(batches[i], [NORMALIZED])[0]) for i in order for _ in range(20)]

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(run_all, ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0])))
    for run in runs:
        assert len(run) == 100
        for i, vectors in run:
            np.testing.assert_array_equal(vectors, alone[i])


def test_a_graph_that_cannot_be_loaded_is_one_line(artifact, tmp_path):
    (tmp_path / "embed.fp32.onnx").write_bytes(b"no graph")
    broken = Artifact(tmp_path, artifact.manifest)
    with pytest.raises(RuntimeUnavailableError) as caught:
        Session(broken, ON_CPU, weights=load_weights(artifact, ON_CPU))
    assert str(caught.value).startswith(
        f"onnxruntime {runtime_version()} cannot load embed.fp32.onnx on CPUExecutionProvider: "
    )
    assert str(caught.value).isprintable()


def test_a_device_that_onnxruntime_silently_replaces_is_refused(artifact, monkeypatch):
    class Fallback:
        def __init__(self, *_args, **_options):
            pass

        def get_providers(self):
            return [CPU]

    monkeypatch.setattr(module.ort, "InferenceSession", Fallback)
    with pytest.raises(RuntimeUnavailableError, match="cannot start CUDAExecutionProvider"):
        Session(artifact, Device(execution_provider=CUDA, precision=Precision.FP16), weights={})


def test_the_version_is_that_of_onnxruntime(artifact):
    assert runtime_version() == ort.__version__ == json.loads(artifact.manifest.to_json())["builder"]["onnxruntime"]
