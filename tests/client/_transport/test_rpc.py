from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyseme.client import Client, InvalidReplyError
from polyseme.client._transport.rpc import ask, decode
from polyseme.v1 import embedding_service_pb2 as service_pb2


def test_ask_asks_once_and_returns_the_reply():
    plan = ask("/s/M", b"request", service_pb2.EmbedResponse, 3.0)
    calls = next(plan)
    assert (calls.path, list(calls.requests), calls.count, calls.timeout) == ("/s/M", [b"request"], 1, 3.0)
    calls.receive(service_pb2.EmbedResponse(model={"name": "m"}).SerializeToString())
    with pytest.raises(StopIteration) as returned:
        next(plan)
    assert returned.value.value.model.name == "m"


def test_decode_names_the_message_that_it_is_not():
    with pytest.raises(InvalidReplyError, match=r"^reply of 1 bytes is no EmbedResponse$"):
        decode(service_pb2.EmbedResponse, b"\xff")


@given(st.binary(max_size=100))
def test_decode_raises_nothing_else(reply):
    with suppress(InvalidReplyError):
        decode(service_pb2.EmbedResponse, reply)


def test_client_raises_for_an_undecodable_reply(client: Client, server):
    server.faults.mutate = lambda reply: service_pb2.SimilarityResponse(indices=[1, 2, 3])
    with pytest.raises(InvalidReplyError):
        client.similarity("a", "b")
