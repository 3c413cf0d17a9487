"""Input that nobody means well with."""

import asyncio
import json
import random
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from tests.server.frames import REQUESTS, mutated
from tests.server.running import CANARY, refused, running

from polyseme.v1 import common_pb2, embedding_service_pb2

STRINGS = json.loads((Path(__file__).parents[1] / "data" / "blns.json").read_text(encoding="utf-8"))
Request = embedding_service_pb2.EmbedRequest
CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)


def embed(server, texts):
    reply = server.embedding.Embed(Request(texts=texts, text_options=CUT, normalize=True), timeout=300)
    return np.frombuffer(reply.embeddings.data, "<f4").reshape(tuple(reply.embeddings.shape))


def test_naughty_strings_are_embedded_and_repeatable(minilm_server):
    assert len(STRINGS) > 500
    once, again = embed(minilm_server, STRINGS), embed(minilm_server, STRINGS)
    np.testing.assert_allclose(np.linalg.norm(once, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(once, again, atol=2e-6)


def test_naughty_strings_tokenize_within_the_text(minilm_server):
    for unit, encoding, width in (("UTF8_BYTE", "utf-8", 1), ("UTF16_CODE_UNIT", "utf-16-le", 2)):
        request = embedding_service_pb2.TokenizeRequest(texts=STRINGS, offset_unit=f"OFFSET_UNIT_{unit}")
        for text, tokenized in zip(STRINGS, minilm_server.embedding.Tokenize(request, timeout=300).texts, strict=True):
            size = len(text.encode(encoding)) // width
            tokens = tokenized.tokens
            assert all(0 <= s <= e <= size for s, e in zip(tokens.starts, tokens.ends, strict=True))


@pytest.mark.parametrize("character", ["\0", "\x1b", "\u202e", "\u200d", "\U0001f469", "\ufeff", "\ufffd", "\u0301"])
def test_single_odd_characters_are_embedded(minilm_server, character):
    vector = embed(minilm_server, [character])
    np.testing.assert_allclose(1, np.linalg.norm(vector), atol=1e-5)


def test_ten_thousand_mutated_frames_never_break_the_server(server):
    draw = random.Random(1)
    allowed = {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    }
    seen = {}
    for _ in range(100):
        futures = []
        for _ in range(100):
            method, message = draw.choice(REQUESTS)
            stub = server.channel.unary_unary(f"/polyseme.v1.{method}")
            futures.append(stub.future(mutated(message.SerializeToString(), draw), timeout=300))
        for future in futures:
            code = future.code()
            assert code in allowed, future.details()
            seen[code] = seen.get(code, 0) + 1
    assert sum(seen.values()) == 10_000
    assert len(seen) >= 3, seen
    assert server.model.engine.queued_tokens == 0
    assert embed(server, ["a"]).any()


def test_two_thousand_mutated_messages_never_break_a_stream(server):
    draw = random.Random(2)
    valid = [
        embedding_service_pb2.StreamEmbedRequest(embed={"texts": ["a", "b c"], "dimensions": 3}),
        embedding_service_pb2.StreamEmbedRequest(tokens={"texts": ["a b"], "layers": {"layers": [0, -1]}}),
        embedding_service_pb2.StreamEmbedRequest(spans={"inputs": [{"text": "a b a", "words": [{"text": "a"}]}]}),
    ]
    call = server.channel.stream_stream("/polyseme.v1.EmbeddingService/StreamEmbed")
    frames = [mutated(draw.choice(valid).SerializeToString(), draw) for _ in range(2000)]
    replies = [embedding_service_pb2.StreamEmbedResponse.FromString(reply) for reply in call(iter(frames), timeout=300)]
    assert [reply.sequence for reply in replies if reply.last_chunk] == list(range(2000))
    codes = {reply.error.code for reply in replies if reply.HasField("error")}
    assert codes <= {grpc.StatusCode.INVALID_ARGUMENT.value[0], grpc.StatusCode.NOT_FOUND.value[0]}
    assert {reply.WhichOneof("result") for reply in replies} == {"embed", "tokens", "spans", "error"}


def test_a_worst_case_text_does_not_hold_up_the_loop(minilm_server):
    dots = minilm_server.embedding.Embed.future(
        Request(texts=["." * 262_144], text_options=CUT), timeout=300
    )  # a quarter of a million tokens
    short = [minilm_server.embedding.Embed(Request(texts=["hi"]), timeout=300) for _ in range(3)]
    assert all(reply.timings.total_us for reply in short)
    assert dots.result().texts[0].truncated
    assert dots.result().texts[0].original_tokens == 262_146


@pytest.mark.parametrize("part", ["tokenize", "run"])
def test_an_exception_that_quotes_a_text_is_logged_without_it(tiny_artifact, monkeypatch, caplog, part):
    def quote(*_):
        raise ValueError(f"no such key: {CANARY}") from KeyError(CANARY)

    with running(tiny_artifact) as server, ExitStack() as faults:
        if part == "tokenize":
            monkeypatch.setattr(server.model.encoder.tokenizer, "encode", quote)
        else:
            faults.enter_context(server.faults.put(quote))
        refused(
            lambda: server.embedding.Embed(Request(texts=[CANARY]), timeout=300),
            grpc.StatusCode.INTERNAL,
            "internal error",
        )
    assert "ValueError: message withheld" in caplog.text
    assert "in quote\n" in caplog.text
    assert CANARY not in caplog.text


def turns(server):
    """CPU seconds of the longest turn of the server's event loop while the block runs; other load does not count."""

    @contextmanager
    def watching():
        longest, done = [0.0], threading.Event()

        async def beat():
            last = time.thread_time()
            while not done.is_set():
                await asyncio.sleep(0)
                now = time.thread_time()
                longest[0], last = max(longest[0], now - last), now

        beating = asyncio.run_coroutine_threadsafe(beat(), server.loop)
        try:
            yield longest
        finally:
            done.set()
            beating.result(300)

    return watching()


def delimited(number, value):
    """A field that has a length, as bytes."""
    size, digits = len(value), []
    while size > 0x7F:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *digits, size]) + value


LARGE = 4 << 20


@pytest.mark.parametrize(
    ("method", "data", "words"),
    [
        ("Similarity", b"\x0a\x00" * (LARGE // 2), "a and b together has more than 64 entries; limit 64"),
        ("Embed", b"\x0a\x00" * (LARGE // 2), "texts has more than 64 entries; limit 64"),
        ("Tokenize", b"\x0a\x00" * (LARGE // 2), "texts has more than 64 entries; limit 64"),
        ("EmbedSpans", b"\x0a\x00" * (LARGE // 2), "inputs has more than 64 entries; limit 64"),
        ("EmbedSpans", delimited(1, b"\x12\x00" * (LARGE // 2)), "spans and words together has more than 1024"),
        ("EmbedTokens", delimited(5, b"\x08\x00" * (LARGE // 2)), "layers.layers has more than 64 entries"),
        ("Embed", b"\x78\x00" * (LARGE // 2), "more than 128 fields that are no lists"),
        ("Embed", delimited(1, b"a" * LARGE), f"texts[0] has {LARGE} bytes; limit 4096"),
    ],
)
def test_no_request_holds_up_the_others(server, method, data, words):
    with turns(server) as longest:
        error = refused(lambda: server.raw(f"EmbeddingService/{method}", data), grpc.StatusCode.INVALID_ARGUMENT)
    assert longest[0] < 0.1
    assert words in error.details()


def test_no_message_of_a_stream_holds_up_the_others(server):
    message = delimited(1, b"\x0a\x00" * (LARGE // 2))
    call = server.channel.stream_stream("/polyseme.v1.EmbeddingService/StreamEmbed")
    with turns(server) as longest:
        (reply,) = call(iter([message]), timeout=300)
    assert longest[0] < 0.1
    error = embedding_service_pb2.StreamEmbedResponse.FromString(reply).error
    assert (error.code, error.field) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "texts")


def test_a_large_request_that_may_be_asked_holds_up_nobody(server):
    """All spans that the limits let in: 64 texts of 1,024 spans each."""
    message = delimited(3, delimited(1, delimited(1, b"a") + b"\x12\x04\x08\x00\x10\x01" * 1024) * 64)
    call = server.channel.stream_stream("/polyseme.v1.EmbeddingService/StreamEmbed")
    with turns(server) as longest:
        replies = [
            embedding_service_pb2.StreamEmbedResponse.FromString(one) for one in call(iter([message]), timeout=300)
        ]
    assert sum(len(text.spans) for reply in replies for text in reply.spans.texts) == 64 * 1024
    assert longest[0] < 0.1
