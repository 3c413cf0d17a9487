"""Engines on the CPU: the packed one in its CPU form."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.packed import cpu_graphs, packed_fp32

from polyseme.artifact import Artifact, Layout, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.errors import RuntimeUnavailableError

FP32 = Device(execution_provider=CPU, precision=Precision.FP32)
TEXTS = [[2, 7, 3], [2, *range(5, 60), 3], [2, 3], [2, 9, 9, 9, 3]]


@pytest.fixture(scope="module")
def artifact(tiny_checkpoint, tiny_artifact, tmp_path_factory):
    return packed_fp32(tiny_checkpoint, tiny_artifact, tmp_path_factory.mktemp("packed") / "tiny")


def packed(artifact, **options):
    return PackedEngine(artifact, [FP32], cpu_graphs=cpu_graphs(artifact, FP32), buckets=(16, 64), **options)


@pytest.fixture(scope="module")
def engines(artifact):
    return PaddedEngine(artifact, FP32), packed(artifact)


def test_engines_agree(engines):
    for variant, outputs in ((Variant.EMBED, [POOLED, NORMALIZED]), (Variant.LAYERS, [SPAN_VECTORS])):
        batches = [engine.collate(TEXTS) for engine in engines]
        selections = [every_state(batch, 2) if variant is Variant.LAYERS else None for batch in batches]
        want, got = (
            engine.run(variant, batch, outputs, selection)
            for engine, batch, selection in zip(engines, batches, selections, strict=True)
        )
        for mine, other in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, other, atol=5e-6)


def test_callers_of_a_packed_engine_share_its_lanes(engines):
    """More threads than lanes, and every one gets its own vectors."""
    engine = engines[1]
    assert engine.traits.lanes == 2
    alone = {i: engine.run(Variant.EMBED, engine.collate([ids]), [POOLED])[0] for i, ids in enumerate(TEXTS)}
    together = threading.Barrier(4)

    def run(i):
        together.wait(timeout=300)
        return [engine.run(Variant.EMBED, engine.collate([TEXTS[i]]), [POOLED])[0] for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        for i, runs in enumerate(pool.map(run, range(4))):
            for vectors in runs:
                np.testing.assert_array_equal(vectors, alone[i])


def test_a_lane_that_is_lent_runs_on_its_own_thread(artifact, monkeypatch):
    """At once: nothing is handed over. What others run meanwhile takes the lanes that are left."""
    engine, threads = packed(artifact), []
    run = PackedSession.run

    def recorded(self, *arguments):
        threads.append(threading.current_thread().name)
        return run(self, *arguments)

    monkeypatch.setattr(PackedSession, "run", recorded)
    batch, vectors = engine.collate(TEXTS), []

    def embed():
        vectors.extend(engine.run(Variant.EMBED, batch, [POOLED])[0] for _ in range(3))

    for host in engine.hosts:
        host(embed).result(300)
    embed()
    assert threads[:6] == ["lane-0-0"] * 3 + ["lane-0-1"] * 3
    assert len(vectors) == 9
    for other in vectors[1:]:
        np.testing.assert_array_equal(vectors[0], other)
    engine.close()


def test_a_run_that_fails_gives_its_lane_back(engines):
    engine = engines[1]
    beyond = [[10**6]]
    for _ in range(5):
        with pytest.raises(ValueError, match="limits 0"):
            engine.run(Variant.EMBED, engine.collate(beyond), [POOLED])
    assert engine.run(Variant.EMBED, engine.collate(TEXTS), [POOLED])[0].shape == (4, 32)


@pytest.mark.parametrize(("flash", "layout"), [(True, Layout.PACKED), (False, Layout.PADDED)])
def test_the_packed_engine_is_for_gpus_with_flash_attention(tiny_artifact, monkeypatch, flash, layout):
    """Where there is no GPU neither can be had; which one was tried shows in the weights that it wants there."""
    device, wanted = Device(execution_provider=CUDA, precision=Precision.FP16, flash=flash), []
    weights = Artifact.weights
    monkeypatch.setattr(Artifact, "weights", lambda *which: wanted.append(which[2]) or weights(*which))
    with pytest.raises(RuntimeUnavailableError, match="cannot put weights on cuda:0: "):
        make_engine(Artifact.open(tiny_artifact), [device])
    assert wanted == [layout]


def test_several_gpus_are_not_taken_for_one(tiny_artifact):
    devices = [Device(execution_provider=CUDA, precision=Precision.FP16, number=number) for number in (0, 1)]
    with pytest.raises(RuntimeUnavailableError, match="tiny runs padded, which takes 1 GPU; got 2"):
        make_engine(Artifact.open(tiny_artifact), devices)


def test_a_cpu_gets_the_padded_engine(artifact):
    assert isinstance(make_engine(artifact, [FP32]), PaddedEngine)
