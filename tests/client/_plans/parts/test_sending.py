"""Texts of embed_tokens and embed_words on their way: one call or a stream, broken, put together, refused."""

import grpc
import numpy as np
import pytest
from tests.client.fake_context import token_vectors

from polyseme.client import (
    Client,
    InvalidArgumentError,
    InvalidReplyError,
    ModelChangedError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
)
from polyseme.client._plans.streams import resumable
from polyseme.v1 import common_pb2
from polyseme.v1.embedding_service_pb2 import StreamError

LONG = "x" * 500

TEXTS = ["bank", "", LONG, *(f"text {number}" for number in range(70))]


@pytest.mark.parametrize("rows", [0, 1, 3, 100, 501, 1200])
@pytest.mark.parametrize(("layers", "combine"), [((0, 1, 2), "none"), ((-1,), "none"), ((1, 2), "sum")])
def test_embed_tokens_of_a_list_puts_chunks_together(either, server, rows, layers, combine):
    server.faults.chunk_rows = rows
    embedded = either.embed_tokens(TEXTS, layers=layers, combine=combine)
    assert ["".join(one.tokens) for one in embedded] == TEXTS
    for text, one in zip(TEXTS, embedded, strict=True):
        expected = token_vectors(text, list(layers))
        expected = expected.sum(0) if combine == "sum" else expected if len(layers) > 1 else expected[0]
        assert np.array_equal(one.vectors, expected)
        assert one.vectors.flags.owndata
        assert one.vectors.flags.writeable
        assert one.info.original_tokens == len(text)
    assert server.faults.calls == {"StreamEmbed": 1}
    assert [len(message.tokens.texts) for message in server.faults.messages] == [32, 32, 9]


@pytest.mark.parametrize(
    ("texts", "options", "priority"),
    [
        (TEXTS[:32], {}, common_pb2.PRIORITY_UNSPECIFIED),
        (TEXTS, {}, common_pb2.PRIORITY_BULK),
        (TEXTS, {"priority": "interactive"}, common_pb2.PRIORITY_INTERACTIVE),
    ],
)
def test_a_list_of_several_requests_is_bulk_unless_told(either, server, texts, options, priority):
    either.embed_tokens(texts, **options)
    assert {message.tokens.priority for message in server.faults.messages} == {priority}


@pytest.mark.parametrize(
    ("size", "hidden_size", "options", "method"),
    [
        (64, 0, {}, "EmbedTokens"),  # (64 + 64) * 4096 * 4 bytes: 2 MiB
        (65, 0, {}, "StreamEmbed"),
        (65, 0, {"dtype": "int8"}, "EmbedTokens"),
        (60, 0, {"layers": (0, 1)}, "StreamEmbed"),
        (60, 0, {"layers": (0, 1), "combine": "concat"}, "StreamEmbed"),
        (60, 0, {"layers": (0, 1), "combine": "sum"}, "EmbedTokens"),
        (900, 384, {}, "EmbedTokens"),
        (1400, 384, {}, "StreamEmbed"),
    ],
)
def test_embed_tokens_streams_what_may_be_large(client, server, size, hidden_size, options, method):
    if hidden_size:
        server.faults.hidden_size = hidden_size
        client.model()
    client.embed_tokens("x" * size, **options)
    assert server.faults.calls[method] == 1


def test_embed_tokens_keeps_messages_within_16_kib(client, server):
    client.embed_tokens(["x" * 7000] * 5)
    assert [len(message.tokens.texts) for message in server.faults.messages] == [2, 2, 1]


def test_embed_tokens_refuses_a_text_over_the_limit_before_sending(client, server):
    server.faults.limits["max_text_bytes"] = 100
    client.model()
    with pytest.raises(InvalidArgumentError, match=r"^texts\[1\] has 101 bytes of UTF-8; limit 100"):
        client.embed_tokens(["a", "x" * 101])


def test_embed_tokens_raises_the_servers_error_with_the_index_in_the_list(either, server):
    def on_message(sequence, message, context):
        return StreamError(code=3, message="texts[4] has 913 tokens; limit 512") if sequence == 1 else None

    server.faults.on_message = on_message
    with pytest.raises(InvalidArgumentError, match=f"^{server.target}: texts\\[36\\] has 913 tokens; limit 512$"):
        either.embed_tokens(TEXTS)


def test_embed_tokens_goes_on_after_a_broken_stream_amid_a_reply(either, server, monkeypatch):
    monkeypatch.setattr(resumable, "FIRST_WAIT_S", 0.01)
    broken = iter([True])

    def on_message(sequence, message, context):
        if sequence == 1 and next(broken, False):
            context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    server.faults.chunk_rows = 5
    server.faults.on_message = on_message
    assert ["".join(one.tokens) for one in either.embed_tokens(TEXTS)] == TEXTS
    assert server.faults.calls == {"StreamEmbed": 2}


def test_embed_tokens_waits_for_a_full_server(either, server):
    full = iter([StreamError(code=8, message="full", retry_after_ms=5)] * 3)
    server.faults.on_message = lambda sequence, message, context: next(full, None)
    assert ["".join(one.tokens) for one in either.embed_tokens(TEXTS)] == TEXTS


def test_embed_tokens_refuses_to_mix_two_models(client, server):
    def change(chunk):
        chunk.tokens.model.version = f"version {chunk.sequence}"
        return chunk

    server.faults.mutate_chunk = change
    with pytest.raises(ModelChangedError):
        client.embed_tokens(TEXTS)


def test_embed_tokens_says_which_method_an_old_server_does_not_have(either, server):
    server.faults.failures = [(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")]
    with pytest.raises(UnimplementedError, match=r"does not have /polyseme\.v1\.EmbeddingService/EmbedTokens"):
        either.embed_tokens("a")


def _drop_info(chunk):
    chunk.tokens.texts[0].ClearField("info")
    return chunk


def _widen(chunk):
    if chunk.tokens.texts[0].vectors.shape[-2] % 2 == 0:
        chunk.tokens.texts[0].vectors.shape[-2] //= 2
        chunk.tokens.texts[0].vectors.shape[-1] *= 2
    return chunk


def _set(**fields):
    def mutate(chunk):
        if chunk.chunk_index == 3:
            for name, value in fields.items():
                setattr(chunk, name, value)
        return chunk

    return mutate


def _no_texts(chunk):
    del chunk.tokens.texts[:]
    return chunk


@pytest.mark.parametrize(
    "mutate",
    [
        _drop_info,
        _widen,
        _no_texts,
        _set(first_text=1),
        _set(first_layer=0),
        _set(first_token=1),
        _set(chunk_index=2),
        _set(last_chunk=True),
        _set(sequence=1),
    ],
)
def test_embed_tokens_refuses_chunks_in_disorder(either, server, mutate):
    server.faults.chunk_rows = 4
    server.faults.mutate_chunk = mutate
    with pytest.raises(InvalidReplyError):
        either.embed_tokens(["bank teller", "x"], layers=[0, 1])


def test_embed_tokens_raises_unavailable_where_nobody_listens(monkeypatch):
    monkeypatch.setattr(resumable, "FIRST_WAIT_S", 0.01)
    with Client("127.0.0.1:1") as client, pytest.raises(UnavailableError):
        client.embed_tokens(["a", "b"])


def test_embed_tokens_gives_up_on_a_server_that_stays_full(either, server):
    full = StreamError(code=8, message="full", retry_after_ms=3_600_000)
    server.faults.on_message = lambda sequence, message, context: full
    with pytest.raises(ResourceExhaustedError):
        either.embed_tokens(["a", "b"], timeout=300)
