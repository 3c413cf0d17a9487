"""Once each shape has been seen, nothing is allocated any more."""

import time

import numpy as np
import pytest
from tests.cuda.fake import ALLOCATIONS, REPLAYS, SYNCHRONIZATIONS, wrong
from tests.cuda.texts import texts
from tests.server.running import load_engine

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.onnxruntime.devices import CUDA
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine

pytestmark = pytest.mark.cuda

MIXES = [[3], [12, 40, 7], [100] * 4, [250] * 10, [256] * 8, [5] * 200]


@pytest.fixture
def engine(minilm, device):
    engine = PackedEngine(minilm, [device])
    yield engine
    engine.close()


def run_all(engine):
    for lengths in MIXES:
        batch = engine.collate(texts(*lengths))
        engine.run(Variant.EMBED, batch, [NORMALIZED])
        engine.run(Variant.LAYERS, batch, [SPAN_VECTORS], every_state(batch, 6))


def test_batches_of_known_shapes_allocate_nothing(runtime, engine):
    for _ in range(2 * engine.traits.lanes):
        run_all(engine)
    allocations, used = runtime.count(ALLOCATIONS), runtime.used()
    with runtime.journal() as lines:
        for _ in range(2 * engine.traits.lanes):
            run_all(engine)
    assert (runtime.count(ALLOCATIONS), runtime.used()) == (allocations, used)
    assert wrong(lines) == []


def test_a_model_that_has_been_loaded_has_room_for_batches_of_any_size(runtime, unproven):
    """The largest were run before. What still comes is scratch memory of attention, by texts times longest."""
    client = load_engine(Artifact.open(unproven), device="cuda")
    allocations, rng = runtime.count(ALLOCATIONS), np.random.default_rng(5)
    for tokens in np.exp(rng.uniform(np.log(1100), np.log(client.info.policy.max_batch_tokens), 60)).astype(int):
        length = int(rng.integers(32, 120))
        batch = client.engine.collate(texts(*[length] * max(1, tokens // length)))
        client.engine.run(Variant.EMBED, batch, [NORMALIZED])
    assert runtime.count(ALLOCATIONS) - allocations <= 2
    client.release()


def test_a_largest_batch_without_room_does_not_keep_a_model_from_serving(runtime, unproven, caplog):
    client = load_engine(Artifact.open(unproven), device="cuda")
    most = runtime.used()
    client.release()
    while runtime.used() == most:  # lanes end on their own threads
        time.sleep(0.01)
    runtime.limit((runtime.used() + most) // 2)
    client = load_engine(Artifact.open(unproven), device="cuda")
    assert "a batch of 32768 tokens will be run in halves: " in caplog.text
    assert client.info.execution_provider == CUDA
    client.release()


def test_small_batches_are_replayed_and_large_ones_are_not(runtime, engine):
    batches = {tokens: engine.collate(texts(tokens)) for tokens in (3, 16, 17, 250)} | {
        250 * count: engine.collate(texts(*[250] * count)) for count in (8, 9)
    }
    for tokens, batch in batches.items():
        before = runtime.count(REPLAYS)
        engine.run(Variant.EMBED, batch, [NORMALIZED])
        assert runtime.count(REPLAYS) - before == (tokens <= 2048), tokens


def test_a_run_waits_for_the_device_a_few_times_and_not_in_every_layer(runtime, engine):
    batch = engine.collate(texts(*[250] * 10))
    engine.run(Variant.EMBED, batch, [NORMALIZED])
    before = runtime.count(SYNCHRONIZATIONS)
    engine.run(Variant.EMBED, batch, [NORMALIZED])
    assert runtime.count(SYNCHRONIZATIONS) - before < 6
