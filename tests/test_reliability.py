"""Promises, each with few tries: what is counted must hold. `make reliability` has the many, and judges latencies.

Promises whose rows are tests of the project are not tried here a second time, nor those that have a test of their own.
"""

import time

import grpc
import pytest
from bench.reliability.outcome import QUIET_CORES, Outcome
from bench.reliability.place import Place
from bench.reliability.promises import PROMISES
from bench.reliability.soak import Sample, judge, plot, slope_per_hour
from tests.server.lateness import lateness
from tests.server.running import running

from polyseme.v1 import embedding_service_pb2 as pb

ELSEWHERE = {
    "18": "server/engine/test_watchdog.py",
    "20-restart": "test_failover.py",
    "20-kill": "test_failover.py",
    "20-stop": "minutes: a server is stopped for longer than the default timeout",
    "24": "server/security",
    "27-rights": "deploy, export, artifact",
    "27-soak": "half an hour",
}


class ShortPlace(Place):
    """Does not run tests from within a test."""

    def by_tests(self, what, *tests):
        return Outcome(what=what, tries=len(tests), failed=0)


@pytest.mark.parametrize("promise", [one for one in PROMISES if one.key not in ELSEWHERE], ids=lambda one: one.key)
def test_a_promise_holds(promise, minilm_artifact, tiny_artifact, tmp_path):
    place = ShortPlace(model=minilm_artifact, tiny=tiny_artifact, folder=tmp_path, short=True)
    outcomes = list(promise.show(place))
    assert outcomes
    for outcome in outcomes:
        assert outcome.verdict(QUIET_CORES + 1) in {"held", "not judged: machine busy"}, outcome


def test_every_promise_is_tried_or_excused():
    numbers = {promise.key.partition("-")[0] for promise in PROMISES}
    assert numbers == {str(number) for number in range(1, 28)}
    assert ELSEWHERE.keys() < {promise.key for promise in PROMISES}


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, "held"),
        ({"failed": 1}, "broken"),
        ({"failed": 1, "timed": True}, "broken"),
        ({"tries": 0}, "broken"),
        ({"within": False}, "broken"),
        ({"timed": True, "within": False}, "not judged: machine busy"),
    ],
)
def test_a_verdict(fields, verdict):
    outcome = Outcome(**{"what": "", "tries": 5, "failed": 0, **fields})
    assert outcome.verdict(others_cores=QUIET_CORES + 1) == verdict
    if fields.get("timed") and not fields.get("failed"):
        assert outcome.verdict(others_cores=0.0) == "broken"


def test_a_slope_is_not_moved_by_outliers():
    assert slope_per_hour([0, 3600, 7200, 10800], [1, 3, 500, 7]) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("grows", "verdicts"),
    [
        ({}, ["held", "held", "held", "held"]),
        ({"own_mib": 0.01}, ["broken", "held", "held", "held"]),
        ({"asked_mib": 0.01}, ["held", "broken", "held", "held"]),
        ({"fds": 1}, ["held", "held", "broken", "held"]),
        ({"threads": 1}, ["held", "held", "held", "broken"]),
    ],
)
def test_what_grows_in_a_soak_is_seen(tmp_path, grows, verdicts):
    at_first = {"own_mib": 200.0, "asked_mib": 400.0, "calls": 0, "fds": 20, "threads": 15}
    samples = [
        Sample(at_s=5.0 * i, **{name: count + i * grows.get(name, 0) for name, count in at_first.items()})
        for i in range(60)
    ]
    assert [outcome.verdict(0.0) for outcome in judge(samples)] == verdicts
    plot(samples, tmp_path / "soak.svg")
    assert "minutes" in (tmp_path / "soak.svg").read_text()


@pytest.mark.parametrize("looks", [True, False])
def test_texts_that_are_run_late_are_seen(tiny_artifact, monkeypatch, looks):
    """A deadline passes while a batch is collated: with a runner that looks, and with one whose clock stands."""
    ahead = [0]  # seconds of the clock, of which 1,000 pass in the first batch

    def clock():
        return time.monotonic() + ahead[0]

    with running(tiny_artifact) as server, lateness(server, clock) as noted:
        collate = server.model.engine.engine.collate

        def collate_for_long(*texts):
            ahead[0] = 1000
            return collate(*texts)

        monkeypatch.setattr(server.model.engine.engine, "collate", collate_for_long)
        monkeypatch.setattr(server.model.engine.scheduler._run, "_clock", clock if looks else lambda: 0.0)
        call = server.embedding.Embed.future(pb.EmbedRequest(texts=["a"]), timeout=300)
        assert call.code() is (grpc.StatusCode.DEADLINE_EXCEEDED if looks else grpc.StatusCode.OK)
        monkeypatch.undo()
        ahead[0] = 0
        server.embedding.Embed(pb.EmbedRequest(texts=["a"]), timeout=300)
    assert len(noted.late_s) == (0 if looks else 1)
