"""The whole server over the packed engine, on the CPU: every way in, and the same vectors as from padded texts."""

import threading

import numpy as np
import pytest
from tests.packed import cpu_graphs, packed_fp32
from tests.server.running import running

from polyseme.artifact import Precision
from polyseme.client import Client
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.server.engine import local as module

FP32 = Device(execution_provider=CPU, precision=Precision.FP32)
TEXTS = ["one two three", "", "a longer text, which has many more letters than the others", "x" * 60, "?!"] * 7


@pytest.fixture(scope="module")
def servers(tiny_checkpoint, tiny_artifact, tmp_path_factory):
    """A client of a server that packs, and of one that pads."""
    artifact = packed_fp32(tiny_checkpoint, tiny_artifact, tmp_path_factory.mktemp("packed") / "tiny")
    made = []

    def make_engine(_artifact, _devices, **_options):
        made.append(PackedEngine(artifact, [FP32], cpu_graphs=cpu_graphs(artifact, FP32), buckets=(16, 64, 256)))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_engine", make_engine)
        with running(tiny_artifact) as packed:
            patch.undo()
            made[0].threads = set()
            run = made[0].run

            def recorded(*arguments):
                made[0].threads.add(threading.current_thread().name)
                return run(*arguments)

            made[0].run = recorded
            assert packed.model.engine.engine is made[0]
            assert packed.model.engine.info.runners == 2
            with running(tiny_artifact) as padded, Client(packed.target) as one, Client(padded.target) as other:
                yield one, other
                assert made[0].threads <= {"lane-0-0", "lane-0-1"}, "lanes take batches themselves"
                assert made[0].threads


def test_texts(servers):
    packed, padded = (client.embed(TEXTS) for client in servers)
    np.testing.assert_allclose(packed, padded, atol=5e-6)


def test_tokens_of_every_layer(servers):
    packed, padded = (client.embed_tokens(TEXTS[:6], layers=["static", 0, 1, 2], combine="none") for client in servers)
    for one, other in zip(packed, padded, strict=True):
        assert one.offsets == other.offsets
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-5)


def test_words(servers):
    text = "a bank, and another bank by the river"
    packed, padded = (client.embed_words(text, layers=[-1, -2], combine="sum") for client in servers)
    assert packed.words == padded.words
    np.testing.assert_allclose(packed.vectors, padded.vectors, atol=1e-5)


def test_streams(servers):
    packed, padded = (np.stack(list(client.embed_stream(TEXTS))) for client in servers)
    np.testing.assert_allclose(packed, padded, atol=5e-6)
