import asyncio

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.running import running

from polyseme.client import AsyncClient, Client, InternalError, InvalidArgumentError
from polyseme.server.wire.calls.request_ids import request_id_of
from polyseme.v1 import embedding_service_pb2 as pb

HEADER = "x-request-id"
EMBED = "/polyseme.v1.EmbeddingService/Embed"
STREAM = "/polyseme.v1.EmbeddingService/StreamEmbed"
GOOD = [
    "a",
    "7",
    "0123456789abcdef",
    "2f1e9a34-4a29-4b0b-9b0e-6f3b5a0c2f10",
    "Root=1-67891233-abcdef012345678912345678",
    "a" * 128,
]
BAD = [
    "",
    " ",
    "a b",
    "a" * 129,
    "-a",
    "a\n",
    "a;b",
    "a%0ab",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    b"abc",
    '"',
    "a\x00",
]


@pytest.mark.parametrize("sent", GOOD)
def test_a_callers_own_id_is_taken(sent):
    assert request_id_of((("user-agent", "x"), (HEADER, sent))) == sent


@pytest.mark.parametrize("sent", BAD)
def test_another_is_made_where_a_log_or_a_header_could_trip_over_it(sent):
    made = request_id_of(((HEADER, sent),))
    assert made != sent
    assert len(made) == 16


@given(st.text() | st.binary())
def test_an_id_is_always_short_and_plain(sent):
    found = request_id_of(((HEADER, sent),))
    assert 1 <= len(found) <= 128
    assert found.isascii()
    assert found.isprintable()
    assert " " not in found


def test_made_ids_differ():
    assert len({request_id_of(()) for _ in range(1000)}) == 1000


def returned(call):
    """The id in the trailing metadata of a call, and its status."""
    return dict(call.trailing_metadata())[HEADER], call.code()


def embed(channel, data, metadata=()):
    return channel.unary_unary(EMBED).future(data, metadata=metadata, timeout=300)


TEXTS = pb.EmbedRequest(texts=["a cat"]).SerializeToString()
CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("data", "code"),
    [(TEXTS, CODE.OK), (b"", CODE.INVALID_ARGUMENT), (b"\xff", CODE.INVALID_ARGUMENT)],
    ids=["answered", "refused", "undecodable"],
)
def test_every_call_returns_its_id(server, data, code):
    assert returned(embed(server.channel, data, ((HEADER, "mine"),))) == ("mine", code)
    made, status = returned(embed(server.channel, data))
    assert (len(made), status) == (16, code)


def test_a_stream_and_a_probe_return_theirs(server):
    stream = server.channel.stream_stream(STREAM)(iter([]), metadata=((HEADER, "mine"),), timeout=300)
    assert list(stream) == []
    assert returned(stream) == ("mine", CODE.OK)
    probe = server.channel.unary_unary("/grpc.health.v1.Health/Check").future(b"", timeout=300)
    assert len(returned(probe)[0]) == 16


def test_a_call_that_is_not_let_in_returns_its_id_beside_when_to_come_again(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("secret\n")
    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server:
        assert returned(embed(server.channel, TEXTS, ((HEADER, "mine"),))) == ("mine", CODE.UNAUTHENTICATED)
    with running(tiny_artifact, max_concurrent_calls=1) as server, server.faults.held() as held:
        metadata = ((HEADER, "mine"),)
        waiting = embed(server.channel, TEXTS)
        held.wait_for_a_batch()
        full = embed(server.channel, TEXTS, metadata)
        assert returned(full) == ("mine", CODE.RESOURCE_EXHAUSTED)
        assert dict(full.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        held.gate.set()
        assert waiting.result(timeout=300)


def fail(*_):
    raise RuntimeError("device on fire")


def test_the_log_names_a_call_that_failed_by_its_id(server, caplog):
    with server.faults.put(fail):
        call = embed(server.channel, TEXTS, ((HEADER, "mine-17"),))
        assert call.code() is CODE.INTERNAL
    assert call.details() == "internal error mine-17: the server's log has it under this id"
    runner, wire = (record.getMessage() for record in caplog.records)
    assert runner == "request mine-17: a text of 6 tokens cannot be run"
    assert wire == "request mine-17: the model could not be run"


def test_errors_of_the_sdk_carry_it(server, caplog):
    with Client(server.target) as client:
        with pytest.raises(InvalidArgumentError) as refused:
            client.embed(["a"], dimensions=1000)
        assert len(refused.value.request_id) == 16
        with server.faults.put(fail):
            with pytest.raises(InternalError) as failed:
                client.embed(["a"])
            (in_a_stream,) = client.embed_stream(["a"], on_error="return")
        assert isinstance(in_a_stream, InternalError)
    for error in (failed.value, in_a_stream):
        assert f"internal error {error.request_id}: " in str(error)
        assert f"request {error.request_id}: " in caplog.text


def test_errors_of_the_async_sdk_carry_it(server):
    async def refused():
        async with AsyncClient(server.target) as client:
            with pytest.raises(InvalidArgumentError) as error:
                await client.embed(["a"], dimensions=1000)
            return error.value.request_id

    assert len(asyncio.run(refused())) == 16


def test_an_error_found_before_a_call_has_none():
    with Client("localhost:1") as client, pytest.raises(InvalidArgumentError) as error:
        client.embed(3)
    assert error.value.request_id is None
