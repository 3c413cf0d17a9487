"""Promises 1 to 9: whatever is sent."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

import grpc
import numpy as np
from bench.lib.server import resident_mib, server_process
from bench.reliability.beside import Beside
from bench.reliability.outcome import Outcome
from bench.reliability.place import ROOT, Place
from bench.reliability.replies import send_all
from tests.server.frames import REQUESTS, mutated
from tests.server.replies import array
from tests.server.running import CANARY, running

from polyseme.client import Client, InvalidArgumentError
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Code = grpc.StatusCode
EMBED = "EmbeddingService/Embed"
LEAKS = ("Traceback", "DecodeError", "google.protobuf", "Exception", ".py", CANARY)
CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
NOT_UTF8 = (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82", b"\xf8\x88")


def texts_of(*texts: bytes) -> bytes:
    """The bytes of an EmbedRequest; its texts may be anything."""
    return b"".join(b"\x0a" + _varint(len(text)) + text for text in texts)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def malformed(place: Place) -> Iterator[Outcome]:
    """1: malformed protobuf."""
    draw = random.Random(1)
    allowed = {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNIMPLEMENTED}
    tries = place.tries(100_000, 1_000)
    calls = []
    for _ in range(tries):
        method, message = draw.choice(REQUESTS)
        calls.append((method, mutated(message.SerializeToString(), draw)))
    with running(place.tiny, max_texts=64, max_text_bytes=4096) as server:
        ended = send_all(server.target, calls)
        left = server.model.engine.queued_tokens
    bad = [one for one in ended if one.code not in allowed or any(leak in one.details for leak in LEAKS)]
    invalid = sum(one.code is Code.INVALID_ARGUMENT for one in ended)
    yield Outcome(
        what="mutated frames: OK, INVALID_ARGUMENT, NOT_FOUND or UNIMPLEMENTED, and nothing internal is said",
        tries=tries,
        failed=len(bad) + (tries - len(ended)) + bool(left),
        figure=f"{invalid} INVALID_ARGUMENT",
    )


def not_utf8(place: Place) -> Iterator[Outcome]:
    """2: bytes that are no UTF-8, and lone surrogates."""
    frames = [texts_of(before + bad + after) for bad in NOT_UTF8 for before in (b"", b"a ") for after in (b"", b" b")]
    surrogates = [
        before + chr(code) + after
        for code in (0xD800, 0xDBFF, 0xDC00, 0xDFFF)
        for before in ("", "a ", "\U0001f469")
        for after in ("", " b")
    ]
    with running(place.tiny) as server, Client(server.target) as client:
        ended = send_all(server.target, [(EMBED, frame) for frame in frames])
        before = server.metric("polyseme_calls_total", method="Embed", code="INVALID_ARGUMENT", model="")
        failed = 0
        for text in surrogates:
            try:
                client.embed(text)
            except InvalidArgumentError:
                continue
            failed += 1
        sent = server.metric("polyseme_calls_total", method="Embed", code="INVALID_ARGUMENT", model="") - before
    wrong = [
        one for one in ended if one.code is not Code.INVALID_ARGUMENT or any(leak in one.details for leak in LEAKS)
    ]
    yield Outcome(what="bytes that are no UTF-8: INVALID_ARGUMENT", tries=len(frames), failed=len(wrong))
    yield Outcome(
        what="lone surrogates: the SDK's InvalidArgumentError",
        tries=len(surrogates),
        failed=failed,
        figure=f"{sent:.0f} were sent",
        bound="0",
        within=not sent,
    )


def naughty(place: Place) -> Iterator[Outcome]:
    """3: odd characters."""
    path = ROOT / "tests" / "data" / "blns.json"
    strings: list[str] = json.loads(path.read_text(encoding="utf-8"))[:: place.tries(1, 10)]
    with running(place.model) as server:
        once, again = (
            np.stack(
                [
                    array(
                        server.embedding.Embed(pb.EmbedRequest(texts=[text], text_options=CUT), timeout=300).embeddings
                    )[0]
                    for text in strings
                ]
            )
            for _ in range(2)
        )
    apart = np.abs(once - again).max(axis=1)
    off = np.abs(np.linalg.norm(once, axis=1) - 1) > 1e-5
    yield Outcome(
        what="the big list of naughty strings, twice: OK, of length 1, the same both times",
        tries=len(strings),
        failed=int(np.count_nonzero((apart > 2e-6) | off)),
        figure=f"apart by {apart.max():.1e} at most",
        bound="2e-6",
    )


def empty(place: Place) -> Iterator[Outcome]:
    """4: the empty string, and no strings."""
    with running(place.model) as server, Client(server.target) as client:
        vectors = [
            client.embed(""),
            client.embed(["", "a b c"])[0],
            client.embed(["a b c", ""])[1],
            *client.embed_stream(["", ""]),
            client.embed_detailed([""]).embeddings[0],
        ]
        tokens = client.embed_tokens("")
        words = client.embed_words("")
        paths = [np.abs(np.asarray(vector) - vectors[0]).max() < 1e-5 for vector in vectors]
        paths += [abs(float(np.linalg.norm(vectors[0])) - 1) < 1e-5]
        paths += [np.asarray(tokens.vectors).size == 0, np.asarray(words.vectors).size == 0]
        methods = ("Embed", "Tokenize", "EmbedTokens", "EmbedSpans", "Similarity")
        none = send_all(server.target, [(f"EmbeddingService/{method}", b"") for method in methods])
    yield Outcome(
        what="the empty string on every path: one unit vector; no tokens", tries=len(paths), failed=paths.count(False)
    )
    yield Outcome(
        what="no texts: INVALID_ARGUMENT",
        tries=len(none),
        failed=sum(one.code is not Code.INVALID_ARGUMENT for one in none),
    )


def too_much(place: Place) -> Iterator[Outcome]:
    """5: too many texts, or too long ones, before tokenizing."""
    many, long = texts_of(*[b"a"] * 100_000), texts_of(b"a" * (256 * 1024 + 1))
    tokenized: list[object] = []
    with running(place.tiny) as server:
        tokenizer = server.model.encoder.tokenizer
        encode = tokenizer.encode

        def noted(*texts: object) -> object:
            tokenized.append(texts)
            return encode(*texts)

        tokenizer.encode = noted
        seconds = []
        failed = 0
        for _ in range(place.tries(20, 2)):
            for request, limit in ((many, "1024"), (long, "262144")):
                for method in ("Embed", "Tokenize", "EmbedTokens"):
                    began = time.perf_counter()
                    (one,) = send_all(server.target, [(f"EmbeddingService/{method}", request)])
                    seconds.append(time.perf_counter() - began)
                    failed += one.code is not Code.INVALID_ARGUMENT or limit not in one.details
        refused = len(tokenized)
        send_all(server.target, [(EMBED, texts_of(b"a"))])
        failed += refused + (len(tokenized) != refused + 1)  # that call is seen, so those would have been
    yield Outcome(
        what="100,000 texts, or one a byte too long: INVALID_ARGUMENT with the limit; the tokenizer is not called",
        tries=len(seconds),
        failed=failed,
        figure=f"{1e3 * sorted(seconds)[len(seconds) // 2]:.0f} ms a call, the client's part included (median)",
    )


def message_limit(place: Place) -> Iterator[Outcome]:
    """6: messages around the limit."""
    limits = (65_536, 262_144, 1_048_576)
    failed = tries = 0
    for limit in limits:
        with running(place.tiny, max_message_bytes=limit, max_text_bytes=2 * limit) as server:
            for extra in (-1, 0, 1):
                request = texts_of(b"a" * (limit + extra - 5))
                request = texts_of(b"a" * (limit + extra - (len(request) - (limit + extra - 5))))
                assert len(request) == limit + extra
                for method in ("Embed", "Tokenize", "EmbedTokens"):
                    (one,) = send_all(server.target, [(f"EmbeddingService/{method}", request)])
                    tries += 1
                    failed += (one.code is Code.RESOURCE_EXHAUSTED) != (extra > 0)
    yield Outcome(
        what="messages of the limit, and a byte less and more: RESOURCE_EXHAUSTED beyond it", tries=tries, failed=failed
    )


def too_long(place: Place) -> Iterator[Outcome]:
    """7: texts around the tokens that a model takes."""
    failed = tries = 0
    with running(place.model) as server:
        limit = server.model.spec.max_tokens
        for tokens in (limit - 1, limit, limit + 1, 100 * limit):
            text = " ".join(["a"] * (tokens - 2))
            for cut in (common_pb2.TRUNCATE_NONE, common_pb2.TRUNCATE_END, common_pb2.TRUNCATE_START):
                options = common_pb2.TextOptions(truncate=cut)
                request = pb.EmbedRequest(texts=["a", text], text_options=options)
                (one,) = send_all(server.target, [(EMBED, request.SerializeToString())])
                tries += 1
                if cut == common_pb2.TRUNCATE_NONE and tokens > limit:
                    said = f"texts[1] has {tokens} tokens; limit {limit}"
                    failed += one.code is not Code.INVALID_ARGUMENT or said not in one.details
                else:
                    info = pb.EmbedResponse.FromString(one.reply).texts if one.code is Code.OK else ()
                    failed += [text.truncated for text in info] != [False, tokens > limit]
    yield Outcome(
        what="texts of L-1, L, L+1 and 100 L tokens: refused with index and counts, or cut and flagged",
        tries=tries,
        failed=failed,
    )


def worst_texts(target: str) -> None:
    """Send the tokenizer's worst texts, one call after another, until the process is ended."""
    worst = ["." * 262_144, "a" * 262_144, ("b" * 80 + " ") * 3_200, "\N{GREEK SMALL LETTER ALPHA}" * 131_072]
    with grpc.insecure_channel(target) as channel:
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/polyseme.v1.{EMBED}")
        while True:
            for text in worst:
                stub(pb.EmbedRequest(texts=[text], text_options=CUT).SerializeToString(), timeout=300)


def worst_case(place: Place) -> Iterator[Outcome]:
    """8: texts that take a tokenizer long."""
    with server_process(place.model) as (target, _):
        beside = Beside(target, place)
        yield beside.measure("texts of 262,144 bytes that a tokenizer is slow at", worst_texts, most=2)


def bombs(place: Place) -> Iterator[Outcome]:
    """9: compression bombs, and what does not exist."""
    bomb = texts_of(b"a" * (64 << 20))
    tries = place.tries(20, 2)
    with server_process(place.tiny) as (target, pid):
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(target, options=options, compression=grpc.Compression.Gzip) as channel:
            stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/polyseme.v1.{EMBED}")
            stub(texts_of(b"a"), timeout=300)
            at_rest = most = resident_mib(pid)
            codes = []
            for _ in range(tries):
                codes.append(stub.future(bomb, timeout=300).code())
                most = max(most, resident_mib(pid))
    yield Outcome(
        what="64 MiB in a gzip of 64 kB: RESOURCE_EXHAUSTED",
        tries=tries,
        failed=sum(code is not Code.RESOURCE_EXHAUSTED for code in codes),
        figure=f"{most - at_rest:.0f} MiB more",
        bound="64 MiB",
        within=most - at_rest < 64,
    )
    unknown = pb.EmbedRequest(texts=["a"], model=common_pb2.ModelRef(name="nobody")).SerializeToString()
    cases = [(EMBED, unknown, Code.NOT_FOUND), ("EmbeddingService/Nope", b"", Code.UNIMPLEMENTED)]
    cases += [("NoService/Embed", b"", Code.UNIMPLEMENTED), (EMBED, texts_of(b"a") + b"\xf8\x07\x01", Code.OK)]
    with running(place.tiny) as server:
        ended = send_all(server.target, [(method, data) for method, data, _ in cases])
    yield Outcome(
        what="unknown model: NOT_FOUND; unknown method or service: UNIMPLEMENTED; unknown field: ignored",
        tries=len(cases),
        failed=sum(one.code is not code for one, (_, _, code) in zip(ended, cases, strict=True)),
    )
