"""A server that lies: every call refuses what is no number, what was not asked for, and what lies beyond its text."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from google.protobuf.message import Message
from tests.client.fake_server import tensor_of

from polyseme.client import AsyncClient, InvalidReplyError
from polyseme.v1 import common_pb2, tensor_pb2

ONE, TWO = "we sat", ["we sat", "we sat on it"]
CALLS = {
    "embed": lambda client: client.embed(TWO),
    "embed_detailed": lambda client: client.embed_detailed(ONE),
    "embed_stream": lambda client: list(client.embed_stream(TWO)),
    "embed_tokens, one call": lambda client: client.embed_tokens(ONE),
    "embed_tokens, a stream": lambda client: client.embed_tokens(TWO),
    "embed_tokens, layers": lambda client: client.embed_tokens(TWO, layers=(0, 1)),
    "embed_words, one call": lambda client: client.embed_words(ONE, words=["we"]),
    "embed_words, a stream": lambda client: client.embed_words(TWO, words=["we"]),
    "similarity": lambda client: client.similarity(TWO),
    "similarity_pairwise": lambda client: client.similarity_pairwise(TWO, TWO),
    "top_k": lambda client: client.top_k(ONE, TWO, 1),
    "word_similarity": lambda client: client.word_similarity(("we", "we"), ("we", "we")),
}
WITH_OFFSETS = {
    "tokenize": lambda client: client.tokenize(TWO),
    **{name: call for name, call in CALLS.items() if name.startswith(("embed_tokens", "embed_words"))},
}


def parts(message, kind):
    """All messages of a kind within a message."""
    if isinstance(message, kind):
        yield message
        return
    for _, value in message.ListFields():
        for part in [value] if isinstance(value, Message) else value if isinstance(value, Sequence) else ():
            if isinstance(part, Message):
                yield from parts(part, kind)


def floats(tensor):
    return np.frombuffer(tensor.data, "<f4").reshape(tuple(tensor.shape)).copy()


def spoil(value):
    def lie(tensor):
        values = floats(tensor)
        values.flat[-1] = value
        tensor.CopyFrom(tensor_of(values))

    return lie


def retype(dtype):
    def lie(tensor):
        tensor.CopyFrom(tensor_of(floats(tensor), dtype))

    return lie


def empty(tensor):
    tensor.shape[-1], tensor.data = 0, b""


LIES = {
    "NaN": (spoil(np.nan), "not finite"),
    "infinite": (spoil(-np.inf), "not finite"),
    "float16": (retype(tensor_pb2.DATA_TYPE_FLOAT16), "of DATA_TYPE_FLOAT16; DATA_TYPE_FLOAT32 was asked for"),
    "int8": (retype(tensor_pb2.DATA_TYPE_INT8), "of DATA_TYPE_INT8; DATA_TYPE_FLOAT32 was asked for"),
    "binary": (retype(tensor_pb2.DATA_TYPE_BINARY), "of DATA_TYPE_BINARY; DATA_TYPE_FLOAT32 was asked for"),
    "0 wide": (empty, "0 wide"),
}


def lie(server, kind, change):
    """Change every part of a kind in every reply."""
    found = []

    def mutate(reply):
        for part in parts(reply, kind):
            found.append(part)
            change(part)
        return reply

    server.faults.mutate = server.faults.mutate_chunk = mutate
    return found


@pytest.mark.parametrize(("change", "words"), LIES.values(), ids=LIES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_numbers_that_were_not_asked_for_or_are_none(client, server, call, change, words):
    found = lie(server, tensor_pb2.Tensor, change)
    with pytest.raises(InvalidReplyError, match=words):
        call(client)
    assert found


@pytest.mark.parametrize("scale", [np.nan, np.inf])
def test_a_scale_that_is_no_number(client, server, scale):
    def change(tensor):
        tensor.scales = np.full(len(tensor.scales) // 4, scale, "<f4").tobytes()

    lie(server, tensor_pb2.Tensor, change)
    with pytest.raises(InvalidReplyError, match="not finite"):
        client.embed(TWO, dtype="int8")


def test_a_width_that_was_not_asked_for(client, server):
    def change(tensor):
        tensor.CopyFrom(tensor_of(np.zeros((2, 5), np.float32)))

    lie(server, tensor_pb2.Tensor, change)
    with pytest.raises(InvalidReplyError, match="embeddings of 5 elements; 4 were asked for"):
        client.embed(TWO, dimensions=4)


def beyond(part):
    """One more than the text has."""
    if isinstance(part, common_pb2.Tokens):
        part.ends[-1] += 1
    else:
        part.end = 1000


def backwards(part):
    if isinstance(part, common_pb2.Tokens):
        part.starts[-1] = part.ends[-1] + 1
    else:
        part.start, part.end = 1, 0


@pytest.mark.parametrize("change", [beyond, backwards])
@pytest.mark.parametrize("call", WITH_OFFSETS.values(), ids=WITH_OFFSETS)
def test_offsets_that_lie_in_no_text(client, server, call, change):
    found = lie(server, (common_pb2.Tokens, common_pb2.Span), change)
    with pytest.raises(InvalidReplyError, match=r"reply has offsets \(\d+, \d+\) in a text of length \d+$"):
        call(client)
    assert found


@pytest.mark.parametrize(("unit", "length"), [("code_point", 2), ("utf8_byte", 5), ("utf16_code_unit", 3)])
def test_a_text_is_as_long_as_the_unit_says(client, server, unit, length):
    def last(end):
        def change(tokens):
            tokens.ends[-1] = end

        lie(server, common_pb2.Tokens, change)

    last(length)
    assert client.tokenize("a🙂", offset_unit=unit).offsets[-1][1] == length
    last(length + 1)
    with pytest.raises(InvalidReplyError, match=f"in a text of length {length}$"):
        client.tokenize("a🙂", offset_unit=unit)


@pytest.mark.parametrize(("change", "words"), LIES.values(), ids=LIES)
def test_asyncio_is_the_same(server, change, words):
    lie(server, tensor_pb2.Tensor, change)

    async def main():
        async with AsyncClient(server.target) as client:
            await client.embed(TWO)

    with pytest.raises(InvalidReplyError, match=words):
        asyncio.run(main())
