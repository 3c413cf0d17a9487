"""A text that is alone may take more cores; as soon as others are about, each takes its own."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.server.faulty_engine import Hold
from tests.server.running import load_engine, running

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import POOLED
from polyseme.client import Client
from polyseme.server.config import ServerConfig
from polyseme.server.engine import local as module
from polyseme.server.engine.local import lone_threads


def test_a_call_is_alone_while_no_other_is_under_way(tiny_artifact):
    hold, alone = Hold(), []

    def noted(run, graph, batch, selection_and_outputs, *rest):
        alone.append(rest[-1])
        return hold(run, graph, batch, selection_and_outputs, *rest)

    with (
        running(tiny_artifact, runners=2) as server,
        server.faults.put(noted),
        Client(server.target) as client,
        ThreadPoolExecutor(2) as callers,
    ):
        first = callers.submit(client.embed, "we sat on the bank")
        hold.wait_for_a_batch()
        second = callers.submit(client.embed, "we sat on the bank")
        hold.wait_for_a_batch()
        hold.gate.set()
        assert alone == [True, False]
        np.testing.assert_array_equal(first.result(300), second.result(300))


def test_the_texts_of_one_call_leave_each_other_a_core(tiny_artifact):
    alone = []

    def noted(run, *batch):
        alone.append(batch[-1])
        return run(*batch)

    with (
        running(tiny_artifact, runners=1, max_batch_texts=1) as server,
        server.faults.put(noted),
        Client(server.target) as client,
    ):
        client.embed(["we sat", "on the bank", "of the river"])
    assert alone == [False, False, True]


@pytest.mark.parametrize(("cores", "given", "threads"), [(1, 0, 1), (2, 0, 2), (64, 0, 4), (64, 16, 16), (8, 1, 1)])
def test_as_many_threads_as_cores_but_not_more_than_help(cores, given, threads, monkeypatch):
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    assert lone_threads(ServerConfig(lone_threads=given)) == threads


@pytest.mark.parametrize(("cores", "wide"), [(1, False), (2, True)])
def test_a_second_session_is_loaded_where_there_are_cores_for_it(cores, wide, tiny_artifact, monkeypatch):
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    engine = load_engine(Artifact.open(tiny_artifact), device="cpu").engine
    del engine.sessions[Variant.EMBED]
    batch = engine.collate([[2, 7, 3]])
    if wide:
        engine.run(Variant.EMBED, batch, [POOLED], None, True)
    else:
        with pytest.raises(KeyError):
            engine.run(Variant.EMBED, batch, [POOLED], None, True)
