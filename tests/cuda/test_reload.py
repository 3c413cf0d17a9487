"""Models are loaded, and so captured, while others run on the same GPU."""

import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from tests.conftest import write_tiny_checkpoint
from tests.cuda.conftest import without_probe
from tests.cuda.fake import REPLAYS, wrong
from tests.cuda.texts import texts
from tests.server.running import running
from tests.server.test_reload import put, reload

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.client import Client
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.registry import make_engine

pytestmark = pytest.mark.cuda

RUNNING = 3
MIXES = [[3], [20, 20], [200] * 12, [250] * 9]


@contextmanager
def under_load(call):
    """Threads that call all the time; gives what came of it: "done", or what was raised."""
    outcomes, stop, threads = Counter(), threading.Event(), []

    def work():
        while not stop.is_set():
            try:
                call()
                outcomes["done"] += 1
            except Exception as error:
                outcomes[str(error)[:200]] += 1

    try:
        for _ in range(RUNNING):
            threads.append(threading.Thread(target=work))
            threads[-1].start()
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join(300)


def test_engines_are_made_and_closed_beside_one_that_runs(runtime, minilm, unproven, device):
    """Of two models; each capture is alone, and each run is as if nothing else happened."""
    engine = make_engine(minilm, [device])
    other = Artifact.open(unproven)
    batches = [engine.collate(texts(*lengths)) for lengths in MIXES]

    def call():
        for batch in batches:
            engine.run(Variant.EMBED, batch, [NORMALIZED])

    with runtime.journal() as lines, under_load(call) as outcomes:
        for artifact in (minilm, other, minilm, other, minilm, other):
            make_engine(artifact, [device]).close()
    assert list(outcomes) == ["done"]
    assert wrong(lines) == []
    engine.close()


def test_two_threads_that_load_at_once_do_not_spoil_each_others_captures(runtime, minilm, unproven, device):
    made, failed = [], []

    def make(artifact):
        try:
            made.append(make_engine(artifact, [device]))
        except Exception as error:
            failed.append(error)

    with runtime.journal() as lines:
        threads = [threading.Thread(target=make, args=[one]) for one in (minilm, Artifact.open(unproven))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
    assert (len(made), failed, wrong(lines)) == (2, [], [])
    for engine in made:
        engine.close()


@pytest.fixture
def versions(unproven, tmp_path):
    """Two versions of "tiny", 32 and 64 wide, without probes."""
    source = write_tiny_checkpoint(tmp_path / "source", hidden_size=64)
    export_model(str(source), tmp_path / "probed", ExportOptions(name="tiny"))
    return [unproven, without_probe(tmp_path / "probed", tmp_path / "wide")]


def test_a_server_takes_up_new_versions_without_failing_a_call(runtime, versions, tmp_path):
    place = tmp_path / "model"
    put(versions[0], place)
    with running(place, device="cuda") as server, Client(server.target) as client:
        assert isinstance(server.model.engine.engine, PackedEngine)
        before = runtime.count(REPLAYS)
        with runtime.journal() as lines, under_load(lambda: client.embed(["a bank", "by the river"] * 8)) as outcomes:
            for turn in range(4):
                put(versions[1 - turn % 2], place)
                reload(server)
        assert list(outcomes) == ["done"]
        assert wrong(lines) == []
        assert runtime.count(REPLAYS) > before
