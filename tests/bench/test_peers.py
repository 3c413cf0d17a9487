"""The table of bench/peers, and how its rounds are kept."""

import os
import subprocess

from bench.lib.rounds import Rounds
from bench.peers import process
from bench.peers.table import judged, ratios


def row(least_cosine, ours=200.0, theirs=100.0):
    sides = {"ours": ours, "peer": theirs}
    return {
        "least_cosine": least_cosine,
        **{side: {"cases": {"mixed, 1 in flight": {"texts_per_s": rate}}} for side, rate in sides.items()},
    }


def test_a_peer_that_computes_something_else_in_any_round_is_not_shown():
    shown, others = judged({"same": [row(0.9999999)] * 2, "another": [row(1.0), row(0.9998)]})
    assert list(shown) == ["same"]
    assert others == {"another": 0.9998}


def test_a_ratio_is_of_one_round():
    rounds = [row(1.0, ours=200, theirs=100), row(1.0, ours=10, theirs=20)]
    assert ratios(rounds, "mixed, 1 in flight", "texts_per_s") == [2.0, 0.5]


def test_rounds_that_were_kept_are_not_measured_again(tmp_path):
    kept = tmp_path / "rooms" / "rounds.jsonl"
    Rounds(kept).add("a", 1, {"x": 1.5})
    again = Rounds(kept)
    assert [again.has("a", 1), again.has("a", 2), again.has("b", 1)] == [True, False, False]
    again.add("a", 2, {"x": 2.5})
    assert [each["x"] for each in Rounds(kept).by_name()["a"]] == [1.5, 2.5]


def test_processes_below_count_too():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:  # it ends with its input
        assert process.family(os.getpid())[0] == os.getpid()
        assert child.pid in process.family(os.getpid())
        assert process.resident_mib(os.getpid()) > process.resident_mib(child.pid) > 0
        assert process.cpu_seconds(os.getpid()) >= process.cpu_seconds(child.pid)
