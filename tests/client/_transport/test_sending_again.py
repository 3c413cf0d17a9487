import grpc
import pytest

from polyseme.client import Client, InternalError, ResourceExhaustedError, UnavailableError
from polyseme.client._transport.rpc import Calls
from polyseme.client._transport.sending_again import Again


def again(count=1, timeout=10.0):
    calls = Calls(path="/s/M", requests=(b"",) * count, count=count, receive=lambda reply: None, timeout=timeout)
    return Again(calls, began=100.0)


def full(retry_after):
    error = ResourceExhaustedError("full", code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    error.retry_after = retry_after
    return error


def test_a_lost_call_is_sent_again_at_once_and_once():
    call = again()
    assert [call.delay(UnavailableError("Socket closed"), now=101.0) for _ in range(2)] == [0.0, None]


def test_a_lost_call_is_not_sent_again_after_its_timeout():
    assert again().delay(UnavailableError("Socket closed"), now=110.0) is None


def test_what_cannot_be_reached_is_not_tried_twice(closed_port):
    """In gRPC's own words, whatever its version."""
    with Client(f"127.0.0.1:{closed_port}") as client, pytest.raises(UnavailableError) as error:
        client.embed("a")
    assert again().delay(error.value, now=101.0) is None


@pytest.mark.parametrize(
    ("count", "retry_after", "wait"), [(2, 3.0, 3.0), (1, 3.0, None), (2, None, None), (2, 9.5, None)]
)
def test_of_several_calls_a_refused_one_is_sent_again_when_the_server_says(count, retry_after, wait):
    assert again(count).delay(full(retry_after), now=101.0) == wait


def test_without_a_timeout_any_wait_is_taken():
    call = again(count=2, timeout=None)
    assert (call.delay(full(600.0), now=101.0), call.left(now=1e9)) == (600.0, None)


def test_other_failures_are_final():
    assert again(count=2).delay(InternalError("broken"), now=101.0) is None
