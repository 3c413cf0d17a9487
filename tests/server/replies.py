"""Reads replies: tensors to numpy, streams to whole replies."""

import numpy as np

from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1 import tensor_pb2

_TYPES = {tensor_pb2.DATA_TYPE_FLOAT32: "<f4", tensor_pb2.DATA_TYPE_FLOAT16: "<f2"}


def array(tensor):
    return np.frombuffer(tensor.data, _TYPES[tensor.dtype]).reshape(tuple(tensor.shape))


def stream(server, *requests, timeout=300):
    """The responses to requests, each checked to be in order; per request the list of its chunks."""
    chunks = [[] for _ in requests]
    for response in server.embedding.StreamEmbed(iter(requests), timeout=timeout):
        mine = chunks[response.sequence]
        assert len(mine) == response.chunk_index
        assert not any(chunks[response.sequence + 1 :]), "replies come in the order of requests"
        assert not mine or not mine[-1].last_chunk
        mine.append(response)
    assert all(mine[-1].last_chunk for mine in chunks)
    return chunks


def joined(chunks):
    """Concatenate the chunks of one reply to tokens or spans: per text (columns message, float array)."""
    texts = []
    for chunk in chunks:
        for number, part in enumerate(getattr(chunk, chunk.WhichOneof("result")).texts):
            index = chunk.first_text + number
            if index == len(texts):
                texts.append((type(part)(), []))
            assert index == len(texts) - 1, "texts come in order"
            whole, arrays = texts[index]
            arrays.append((chunk.first_layer, chunk.first_token, array(part.vectors)))
            columns = type(part)()
            columns.CopyFrom(part)
            columns.ClearField("vectors")
            whole.MergeFrom(columns)
    return [(whole, _assembled(arrays)) for whole, arrays in texts]


def _assembled(arrays):
    if arrays[0][2].ndim == 2:
        return np.concatenate([part for _, _, part in arrays])
    layers = {}
    for layer, _, part in arrays:
        layers.setdefault(layer, []).append(part)
    return np.concatenate([np.concatenate(layers[layer], axis=1) for layer in sorted(layers)])


def spans_request(text, *words, **fields):
    return pb.EmbedSpansRequest(inputs=[pb.SpanInput(text=text, words=[{"text": word} for word in words])], **fields)
