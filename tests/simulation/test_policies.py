"""What callers are promised of each other, in virtual time: a single text beside bulk work, a flood, and overload."""

import pytest
from bench.simulation.policies import BULK, DEFAULT, FLOOD, figures, goodput

SECONDS = 8


@pytest.mark.parametrize("mix", [BULK, FLOOD], ids=["bulk", "flood"])
def test_a_caller_of_single_texts_is_not_held_up(mix):
    idle, beside = figures(DEFAULT, SECONDS), figures(DEFAULT, SECONDS, **mix)
    assert beside.p50_ms <= 2 * idle.p50_ms
    assert beside.p99_ms <= 3 * idle.p99_ms
    assert beside.heavy > 0


def test_who_is_alone_has_what_it_had():
    """As one of two callers it would have short batches."""
    alone = figures(DEFAULT, SECONDS, alone=False, **FLOOD)
    never_short = figures(DEFAULT, SECONDS, alone=False, **FLOOD, heavy_caller="light")
    assert alone.heavy >= 0.95 * never_short.heavy


@pytest.mark.parametrize("callers", [1, 64])
def test_goodput_under_overload_is_what_it_was_before(callers):
    assert goodput(DEFAULT, SECONDS, 2.0, callers) >= 0.9
