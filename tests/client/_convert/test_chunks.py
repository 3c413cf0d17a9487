import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.fake_context import chunks, joined, token_vectors
from tests.client.fake_server import tensor_of

from polyseme.client import InvalidReplyError
from polyseme.client._convert.chunks import ChunkEntry, TextListAssembler
from polyseme.client.results import TextInfo
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

INFO = TextInfo(tokens=1, original_tokens=1, truncated=False)
LISTS = st.lists(st.text("abc", max_size=7), min_size=1, max_size=6)


def _reply(texts, layers):
    reply = pb.EmbedTokensResponse()
    for text in texts:
        tokens = common_pb2.Tokens(
            ids=map(ord, text), texts=text, starts=range(len(text)), ends=range(len(text)),
            word_ids=range(len(text)), special=[False] * len(text),
        )  # fmt: skip
        vectors = joined(token_vectors(text, list(range(layers))), common_pb2.COMBINE_NONE)
        reply.texts.add(tokens=tokens, vectors=tensor_of(vectors), info=common_pb2.TextInfo(tokens=1))
    return reply


def _entries(chunk):
    return [
        ChunkEntry(columns=list(one.tokens.texts), vectors=one.vectors, info=INFO if one.HasField("info") else None)
        for one in chunk.tokens.texts
    ]


def _assemble(replies, count, layers):
    assembler = TextListAssembler(count, layers, tensor_pb2.DATA_TYPE_FLOAT32)
    for chunk in replies:
        assembler.add(_entries(chunk), chunk.first_text, chunk.first_layer, chunk.first_token)
    return assembler.assembled()


@given(LISTS, st.integers(1, 4), st.integers(0, 30))
def test_chunks_become_the_texts_that_were_cut(texts, layers, rows):
    assembled = _assemble(chunks(_reply(texts, layers), "tokens", rows), len(texts), layers)
    assert ["".join(found.columns) for found in assembled] == texts
    for text, found in zip(texts, assembled, strict=True):
        expected = token_vectors(text, list(range(layers)))
        assert np.array_equal(found.vectors, expected if layers > 1 else expected[0])
        assert found.vectors.flags.owndata


@given(LISTS, st.integers(1, 4), st.integers(1, 12), st.data())
def test_a_lost_a_doubled_or_a_swapped_chunk_is_refused(texts, layers, rows, data):
    replies = list(chunks(_reply(texts, layers), "tokens", rows))
    at = data.draw(st.integers(0, len(replies) - 1))
    match data.draw(st.sampled_from(["lost", "doubled", "swapped"])):
        case "lost":
            del replies[at]
        case "doubled":
            replies.insert(at, replies[at])
        case _:
            other = data.draw(st.integers(0, len(replies) - 1))
            if other == at:
                return
            replies[at], replies[other] = replies[other], replies[at]
    with contextlib.suppress(InvalidReplyError):
        assembled = _assemble(replies, len(texts), layers)
        # Where layer 0 ends is known by what follows: with one layer, a text that has lost its last tokens is whole.
        assert layers == 1
        assert all(text.startswith("".join(found.columns)) for text, found in zip(texts, assembled, strict=True))


def _entry(shape, columns, info=INFO):
    return ChunkEntry(columns=list("x" * columns), vectors=tensor_of(np.zeros(shape, np.float32)), info=info)


SEQUENCES = {
    "columns of a later layer": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 2, 3), 2, None), 1, 0)],
    "fewer columns": [(_entry((2, 2, 3), 1), 0, 0)],
    "no info": [(_entry((2, 2, 3), 2, None), 0, 0)],
    "a layer too many": [(_entry((3, 2, 3), 2), 0, 0)],
    "a layer too few": [(_entry((1, 2, 3), 2), 0, 0)],
    "layers of different lengths": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 3, 3), 0, None), 1, 0)],
    "a layer that is short": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 1, 3), 0, None), 1, 0)],
    "another width": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 2, 4), 0, None), 1, 0)],
    "an overlap": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 2, 3), 2, None), 0, 1)],
    "a gap": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 2, 3), 2, None), 0, 3)],
    "the same again": [(_entry((2, 2, 3), 2), 0, 0), (_entry((2, 2, 3), 2), 0, 0)],
    "an empty part": [(_entry((1, 2, 3), 2), 0, 0), (_entry((1, 0, 3), 0, None), 0, 2)],
    "no axis of layers": [(_entry((2, 3), 2), 0, 0)],
    "no layers": [(_entry((0, 2, 3), 2), 0, 0)],
    "a part of several layers": [(_entry((1, 2, 3), 2), 0, 0), (_entry((2, 1, 3), 1, None), 0, 2)],
    "packed bits": [(ChunkEntry(columns=["x"], vectors=tensor_of(np.ones((2, 1, 8)), 5), info=INFO), 0, 0)],
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
def test_chunks_that_contradict_each_other_are_refused(sequence):
    assembler = TextListAssembler(1, 2, tensor_pb2.DATA_TYPE_FLOAT32)
    with pytest.raises(InvalidReplyError):  # noqa: PT012  either may notice
        for entry, first_layer, first_token in sequence:
            assembler.add([entry], 0, first_layer, first_token)
        assembler.assembled()


def test_an_axis_for_one_layer_is_dropped():
    assembler = TextListAssembler(1, 1, tensor_pb2.DATA_TYPE_FLOAT32)
    assembler.add([_entry((1, 2, 3), 2)], 0, 0, 0)
    (found,) = assembler.assembled()
    assert found.vectors.shape == (2, 3)
    assert found.vectors.flags.owndata


def test_texts_of_different_widths_are_refused():
    assembler = TextListAssembler(2, 1, tensor_pb2.DATA_TYPE_FLOAT32)
    assembler.add([_entry((2, 3), 2), _entry((2, 4), 2)], 0, 0, 0)
    with pytest.raises(InvalidReplyError, match="2 widths"):
        assembler.assembled()
