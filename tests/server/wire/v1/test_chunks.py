"""Chunks, put together again, are the whole; none is larger than the limit, but for one that holds a single row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyseme.server.wire.v1.chunks import Packer, embed_chunks
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

WIDTH = 4


def tensor(*shape):
    data = np.arange(np.prod(shape), dtype=np.float32).tobytes()
    return tensor_pb2.Tensor(shape=shape, dtype=tensor_pb2.DATA_TYPE_FLOAT32, data=data)


def tokens(count, layers):
    shape = (layers, count, WIDTH) if layers > 1 else (count, WIDTH)
    columns = common_pb2.Tokens(ids=range(count), texts=["x"] * count, starts=range(count), ends=range(count))
    info = common_pb2.TextInfo(tokens=count)
    return pb.TokenEmbeddings(tokens=columns, vectors=tensor(*shape), info=info)


def packed(texts, limit):
    packer = Packer(limit)
    return [chunk for index, text in enumerate(texts) for chunk in packer.add(index, text)] + list(packer.flush())


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1, max_size=8), st.integers(1, 600))
def test_packer_loses_nothing(sizes, limit):
    texts = [tokens(*size) for size in sizes]
    data, ids = [b""] * len(texts), [[] for _ in texts]
    infos = [0] * len(texts)
    for chunk in packed(texts, limit):
        for offset, part in enumerate(chunk.texts):
            index = chunk.first_text + offset
            data[index] += part.vectors.data
            ids[index] += part.tokens.ids
            infos[index] += part.HasField("info")
    if all(layers == 1 for _, layers in sizes):
        assert data == [text.vectors.data for text in texts]
    assert list(map(len, data)) == [len(text.vectors.data) for text in texts]
    assert ids == [list(text.tokens.ids) for text in texts]
    assert infos == [1] * len(texts)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 600))
def test_a_part_says_where_it_belongs(count, layers, limit):
    text = tokens(count, layers)
    whole = np.zeros((layers, count, WIDTH), np.float32)
    for chunk in packed([text], limit):
        (part,) = chunk.texts
        shape = tuple(part.vectors.shape) if layers > 1 else (1, *part.vectors.shape)
        rows = np.frombuffer(part.vectors.data, "<f4").reshape(shape)
        whole[chunk.first_layer : chunk.first_layer + shape[0], chunk.first_token : chunk.first_token + shape[1]] = rows
    assert whole.tobytes() == text.vectors.data


def fields_of(message):
    """The paths of all fields that a message has, below repeated ones too."""
    paths = set()
    for field, value in message.ListFields():
        paths.add(field.name)
        if field.message_type is not None:
            below = [value] if hasattr(value, "ListFields") else value
            paths |= {f"{field.name}.{path}" for one in below for path in fields_of(one)}
    return paths


def filled(message):
    """Set every field of a message, below it too; of several that exclude each other, the last."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        one = {field.TYPE_BYTES: b"1234", field.TYPE_STRING: "x"}.get(field.type, 1)
        if field.message_type is not None:
            filled(target.add() if hasattr(target, "add") else target)
        elif hasattr(target, "append"):
            target.append(one)
        else:
            setattr(message, field.name, one)
    return message


def test_chunks_have_every_field_that_a_reply_may_have():
    """A new field of the contract that `chunks.py` does not copy would be lost in streams, and in streams alone."""
    reply = filled(pb.EmbedResponse())
    reply.embeddings.CopyFrom(tensor(1, WIDTH))
    reply.embeddings.scales = b"1234"
    ((_, chunk),) = embed_chunks(reply, 1)
    assert fields_of(chunk) == fields_of(reply)
    for kind in (pb.TokenEmbeddings, pb.SpanEmbeddings):
        text = filled(kind())
        text.vectors.CopyFrom(tensor(1, WIDTH))
        text.vectors.scales = b"1234"
        ((part,),) = [chunk.texts for chunk in packed([text], 1)]
        assert fields_of(part) == fields_of(text)


@pytest.mark.parametrize("limit", [1, 40, 100, 10_000])
def test_embed_chunks_are_rows_in_order(limit):
    reply = pb.EmbedResponse(embeddings=tensor(10, WIDTH), texts=[common_pb2.TextInfo(tokens=n) for n in range(10)])
    chunks = list(embed_chunks(reply, limit))
    assert [start for start, _ in chunks] == list(np.cumsum([0] + [len(chunk.texts) for _, chunk in chunks])[:-1])
    assert b"".join(chunk.embeddings.data for _, chunk in chunks) == reply.embeddings.data
    assert [info.tokens for _, chunk in chunks for info in chunk.texts] == list(range(10))
    assert all(list(chunk.embeddings.shape) == [len(chunk.texts), WIDTH] for _, chunk in chunks)
