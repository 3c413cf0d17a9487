"""Two servers in processes of their own, and the SDK with its defaults: no call fails when one of them goes.

`python -m bench.load.failover` does it with 50,000 calls, and with SIGSTOP.
"""

import asyncio

import pytest
from bench.load.failover import Trial, run


@pytest.mark.parametrize("fault", ["kill", "restart"])
def test_no_call_fails_when_one_of_two_servers_goes(tiny_artifact, fault):
    """A busy machine takes seconds to connect to a server that is ready again: the next one goes when that is done."""
    outcome = asyncio.run(run(Trial(artifact=tiny_artifact, fault=fault, calls=1500, faults=2, pause_s=3)))
    assert outcome.failures == {}, outcome
    assert outcome.calls >= 1500
