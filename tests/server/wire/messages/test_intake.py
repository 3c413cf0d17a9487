import asyncio
from functools import partial

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.validation import Limits
from polyseme.server.wire.messages import intake
from polyseme.server.wire.messages.intake import Bounds, Intake
from polyseme.server.wire.v1.bounds import bounds
from polyseme.v1 import embedding_service_pb2 as pb

LIMITS = Limits(max_texts=64, max_text_bytes=32 << 10, max_spans=16, max_reply_bytes=1 << 20)
LARGE = 64 << 10


def read(request_class, data):
    return asyncio.run(Intake(request_class.DESCRIPTOR, bounds(LIMITS), asyncio.Lock()).read(data))


def field(number, value):
    size, digits = len(value), []
    while size > 0x7F:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *digits, size]) + value


def times(value, size=LARGE):
    return value * (size // len(value) + 1)


TEXT = field(1, b"a" * 500)
FILLED = field(15, bytes(20_000))  # unknown, and makes a request that is not small


@pytest.mark.parametrize(
    ("request_class", "data", "words"),
    [
        (pb.EmbedRequest, times(b"\x0a\x00"), "texts has more than 64 entries; limit 64"),
        (pb.EmbedRequest, times(TEXT), "texts has more than 64 entries; limit 64"),
        (pb.TokenizeRequest, times(b"\x0a\x00"), "texts has more than 64 entries; limit 64"),
        (pb.EmbedSpansRequest, times(b"\x0a\x00"), "inputs has more than 64 entries; limit 64"),
        (pb.SimilarityRequest, times(b"\x0a\x00\x12\x00"), "a and b together has more than 64 entries; limit 64"),
        (
            pb.EmbedSpansRequest,
            times(field(1, b"\x12\x00\x1a\x00" * 8) * 2 + field(1, b"\x12\x00\x1a\x00" * 200)),
            "inputs[2]: spans and words together has more than 16 entries; limit 16",
        ),
        (pb.EmbedTokensRequest, field(5, times(b"\x08\x00")), "layers.layers has more than 64 entries; limit 64"),
        (pb.EmbedTokensRequest, field(5, field(1, bytes(LARGE))), "layers.layers has more than 64 entries; limit 64"),
        # Messages that come in parts are one message.
        (pb.EmbedTokensRequest, FILLED + field(5, b"\x08\x00" * 40 + FILLED) * 2, "layers.layers has more than 64"),
        (pb.StreamEmbedRequest, field(1, times(b"\x0a\x00")), "texts has more than 64 entries; limit 64"),
        (pb.StreamEmbedRequest, FILLED + field(1, TEXT * 40) * 2, "texts has more than 64 entries; limit 64"),
        (pb.EmbedRequest, times(b"\x78\x00"), "the request has more than 128 fields that are no lists; limit 128"),
        (pb.EmbedRequest, times(b"\x12\x00"), "the request has more than 128 fields that are no lists"),
        (pb.EmbedRequest, times(b"\x7b\x08\x00\x7c"), "the request has more than 128 fields that are no lists"),
        (pb.EmbedRequest, field(2, times(b"\x78\x00")), "model has more than 128 fields that are no lists"),
        (
            pb.EmbedSpansRequest,
            field(1, b"") + field(1, field(3, times(b"\x78\x00"))),
            "inputs[1].words[0] has more than 128 fields that are no lists",
        ),
        (pb.EmbedRequest, TEXT + field(1, b"a" * LARGE), "texts[1] has 65536 bytes; limit 32768"),
        (
            pb.EmbedSpansRequest,
            field(1, b"") + field(1, field(1, b"a" * LARGE)),
            "inputs[1] has 65536 bytes; limit 32768",
        ),
        (pb.SimilarityRequest, field(2, b"") + field(2, field(1, b"a" * LARGE)), "b[1] has 65536 bytes; limit 32768"),
        (pb.SimilarityRequest, field(1, field(3, field(1, b"a" * LARGE))), "a[0] has 65536 bytes; limit 32768"),
        (pb.EmbedRequest, field(2, field(1, b"a" * LARGE)), "model.name has 65536 bytes; limit 32768"),
        (pb.StreamEmbedRequest, field(1, TEXT + field(1, b"a" * LARGE)), "texts[1] has 65536 bytes; limit 32768"),
        (pb.EmbedRequest, times(b"\xff"), "the request is not valid protobuf"),
        (pb.EmbedRequest, FILLED + b"\x0a\x05abc", "the request is not valid protobuf"),
        (pb.EmbedRequest, FILLED + b"\x0a\x02\xc3\x28", "the request is not valid protobuf"),
    ],
)
def test_what_no_request_may_hold_is_refused_before_it_is_parsed(monkeypatch, request_class, data, words):
    parsed = []
    if "not valid" not in words:
        monkeypatch.setattr(Intake, "_merged", lambda _, message, data: parsed.append(data))
    with pytest.raises(InvalidInputError) as error:
        read(request_class, data)
    assert words in str(error.value)
    assert parsed == []


@pytest.mark.parametrize(
    ("request_class", "data"),
    [
        (pb.EmbedRequest, TEXT * 64),
        (pb.EmbedRequest, field(1, b"a" * (32 << 10)) * 64),
        (pb.EmbedSpansRequest, field(1, field(1, b"a" * 2000) + b"\x12\x00\x1a\x00" * 8) * 64),
        (pb.SimilarityRequest, field(1, field(1, b"a" * 2000)) * 32 + field(2, field(3, field(1, b"a" * 999))) * 32),
        (pb.EmbedTokensRequest, TEXT * 40 + field(5, b"\x08\x00" * 64) + field(3, b"\x08\x01")),
        (pb.StreamEmbedRequest, field(1, TEXT * 40) + field(15, b"later") + field(1, TEXT * 24)),
        (pb.StreamEmbedRequest, field(1, TEXT * 40) + field(3, field(1, TEXT) * 40)),  # the last one of a choice holds
        (pb.EmbedRequest, FILLED + TEXT + b"\x7b\x08\x01\x7c" + TEXT),
    ],
)
@pytest.mark.parametrize("piece_fields", [1, 3, 4096])
def test_a_request_read_in_pieces_is_the_request(monkeypatch, request_class, data, piece_fields):
    monkeypatch.setattr(intake, "_PIECE_FIELDS", piece_fields)
    assert len(data) > intake.SMALL_REQUEST
    assert request_class.FromString(data) == read(request_class, data)


requests = st.builds(
    pb.EmbedSpansRequest,
    inputs=st.lists(
        st.builds(
            pb.SpanInput,
            text=st.text(max_size=400),
            spans=st.lists(st.builds(dict, start=st.integers(0, 300), end=st.integers(0, 300)), max_size=8),
            words=st.lists(st.builds(dict, text=st.text(max_size=300)), max_size=8),
        ),
        max_size=8,
    ),
    model=st.builds(dict, name=st.text(max_size=300)),
    layers=st.builds(dict, layers=st.lists(st.integers(-5, 5), max_size=8)),
)


@settings(deadline=None)
@given(requests, st.binary(max_size=8), st.integers(0, 400), st.integers(1, 5))
def test_whatever_is_read_in_pieces_is_what_protobuf_reads(message, mutation, at, piece_fields):
    data = message.SerializeToString()
    data = data[:at] + mutation + data[at:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "SMALL_REQUEST", 0)
        patch.setattr(intake, "_PIECE_FIELDS", piece_fields)
        assert outcome(pb.EmbedSpansRequest.FromString, data) == outcome(partial(read, pb.EmbedSpansRequest), data)


def outcome(parse, data):
    """The message, or None: the bytes are none."""
    try:
        return parse(data)
    except (DecodeError, InvalidInputError):
        return None


def test_others_have_a_turn_between_pieces(monkeypatch):
    monkeypatch.setattr(intake, "_PIECE_FIELDS", 8)
    turns = 0

    async def main():
        nonlocal turns
        reading = asyncio.ensure_future(
            Intake(pb.EmbedRequest.DESCRIPTOR, bounds(LIMITS), asyncio.Lock()).read(TEXT * 64)
        )
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)

    asyncio.run(main())
    assert turns > 2 * (64 // 8 - 1)  # once to count, once to parse


def test_large_requests_are_read_one_at_a_time(monkeypatch):
    monkeypatch.setattr(intake, "_PIECE_FIELDS", 8)
    order = []
    merged = Intake._merged

    async def main():
        lock = asyncio.Lock()
        one, other = (Intake(pb.EmbedRequest.DESCRIPTOR, bounds(LIMITS), lock) for _ in range(2))
        for reader, name in ((one, "one"), (other, "other")):
            monkeypatch.setattr(
                reader, "_merged", lambda *rest, r=reader, n=name: (order.append(n), merged(r, *rest))[1], raising=False
            )
        await asyncio.gather(one.read(TEXT * 64), other.read(TEXT * 64))

    asyncio.run(main())
    assert order == ["one"] * 8 + ["other"] * 8


def test_a_list_without_a_bound_ends_the_start():
    with pytest.raises(ValueError, match=r"polyseme\.v1\.EmbedRequest has lists and no bound"):
        Intake(pb.EmbedRequest.DESCRIPTOR, Bounds(), asyncio.Lock())
