"""Waiting for a server, as a plan: no server, no clock."""

import math

import pytest

from polyseme.client import DeadlineExceededError, UnauthenticatedError, UnavailableError
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.server import plan_wait_until_ready
from polyseme.client._transport.rpc import Calls, Pause

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def drive(timeout, answers):
    """Give each health check the next answer; a second passes at each step. How many checks were made."""
    now, made, answers = 0.0, 0, iter(answers)
    plan = plan_wait_until_ready(Defaults(target="there:1", model=None, timeout=300), timeout, lambda: now)
    step = next(plan)
    try:
        while True:
            now += 1
            if isinstance(step, Pause):
                step = plan.send(None)
                continue
            assert isinstance(step, Calls)
            made += 1
            answer = next(answers)
            if isinstance(answer, Exception):
                step = plan.throw(answer)
            else:
                step.receive(answer)
                step = plan.send(None)
    except StopIteration:
        return made


def test_waits_over_a_server_that_does_not_listen_and_one_that_starts():
    assert drive(60, [UnavailableError("refused"), DeadlineExceededError("slow"), NOT_SERVING, SERVING]) == 4


def test_says_what_it_found_last():
    with pytest.raises(DeadlineExceededError, match=r"^not ready within 4 s \(timeout\): there:1: NOT_SERVING$"):
        drive(4, [UnavailableError("refused")] + [NOT_SERVING] * 9)


def test_waits_without_end():
    assert drive(math.inf, [NOT_SERVING] * 1000 + [SERVING]) == 1001


def test_what_waiting_does_not_mend_is_raised_at_once():
    with pytest.raises(UnauthenticatedError):
        drive(60, [UnauthenticatedError("no certificate")])
