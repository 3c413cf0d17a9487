"""Once each shape has been seen, nothing is allocated any more."""

import pytest
from tests.cuda.fake import ALLOCATIONS, REPLAYS, SYNCHRONIZATIONS, wrong
from tests.cuda.texts import texts

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.engine import PackedEngine

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
    for _ in range(2 * engine.lanes):
        run_all(engine)
    allocations, used = runtime.count(ALLOCATIONS), runtime.used()
    with runtime.journal() as lines:
        for _ in range(2 * engine.lanes):
            run_all(engine)
    assert (runtime.count(ALLOCATIONS), runtime.used()) == (allocations, used)
    assert wrong(lines) == []


def test_small_batches_are_replayed_and_large_ones_are_not(runtime, engine):
    batches = {tokens: engine.collate(texts(tokens)) for tokens in (3, 16, 17, 250)} | {
        2000: engine.collate(texts(*[250] * 8))
    }
    for tokens, batch in batches.items():
        before = runtime.count(REPLAYS)
        engine.run(Variant.EMBED, batch, [NORMALIZED])
        assert runtime.count(REPLAYS) - before == (tokens <= 1024), tokens


def test_a_run_waits_for_the_device_a_few_times_and_not_in_every_layer(runtime, engine):
    batch = engine.collate(texts(*[250] * 10))
    engine.run(Variant.EMBED, batch, [NORMALIZED])
    before = runtime.count(SYNCHRONIZATIONS)
    engine.run(Variant.EMBED, batch, [NORMALIZED])
    assert runtime.count(SYNCHRONIZATIONS) - before < 6
