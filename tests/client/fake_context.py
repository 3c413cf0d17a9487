"""What the server double answers for tokens, words and streams: a second implementation of the contract, apart from
the server's. Tokens are characters; their vectors follow from layer, character and position."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

LAYERS = 3  # 0, 1 and 2: two encoder layers


def token_vectors(text: str, layers: list[int | str], positions: list[int] | None = None) -> np.ndarray:
    """[layers, T, H]"""
    from tests.client.fake_server import vector_of

    wanted = range(len(text)) if positions is None else positions
    rows = [
        [vector_of(f"{layer if layer == 'static' else int(layer) % LAYERS}|{text[at]}|{at}") for at in wanted]
        for layer in layers
    ]
    return np.array(rows, np.float32).reshape(len(layers), len(wanted), 12)


def selected(selection: common_pb2.LayerSelection) -> list[int | str]:
    layers: list[int | str] = [*(["static"] if selection.static_embedding else []), *selection.layers]
    return layers or [-1]


def joined(vectors: np.ndarray, combine: int) -> np.ndarray:
    """[layers, N, H] as it travels."""
    if combine == common_pb2.COMBINE_SUM:
        return vectors.sum(0)
    if combine == common_pb2.COMBINE_MEAN:
        return vectors.mean(0)
    if combine == common_pb2.COMBINE_CONCAT:
        return vectors.transpose(1, 0, 2).reshape(vectors.shape[1], -1)
    return vectors if len(vectors) > 1 else vectors[0]


def token_entry(text: str, request: pb.EmbedTokensRequest) -> pb.TokenEmbeddings:
    from tests.client.fake_server import infos, tensor_of

    vectors = joined(token_vectors(text, selected(request.layers)), request.layers.combine)
    tokens = common_pb2.Tokens(
        ids=list(map(ord, text)),
        texts=list(text),
        starts=range(len(text)),
        ends=range(1, len(text) + 1),
        word_ids=range(len(text)),
        special=[False] * len(text),
    )
    return pb.TokenEmbeddings(tokens=tokens, vectors=tensor_of(vectors, request.dtype), info=infos([text])[0])


class NoSuchWordError(ValueError):
    pass


def span_entry(index: int, request: pb.EmbedSpansRequest) -> pb.SpanEmbeddings:
    from tests.client.fake_server import infos, tensor_of

    one = request.inputs[index]
    found = [(span.start, span.end, query, 0) for query, span in enumerate(one.spans)]
    for query, word in enumerate(one.words, len(one.spans)):
        at = [match.start() for match in re.finditer(re.escape(word.text), one.text)]
        if not at:
            raise NoSuchWordError(f"inputs[{index}].words[{query - len(one.spans)}]")
        found += [
            (start, start + len(word.text), query, number)
            for number, start in enumerate(at, 1)
            if word.occurrence in (0, number)
        ]
    if not one.spans and not one.words:
        words = enumerate(re.finditer(r"\w+", one.text))
        found = [(match.start(), match.end(), number, 0) for number, match in words]
    layers = selected(request.layers)
    pooled = np.zeros((len(layers), len(found), 12), np.float32)
    for row, (start, end, _, _) in enumerate(found):
        pooled[:, row] = token_vectors(one.text, layers, list(range(start, end))).mean(1)
    vectors = joined(pooled, request.layers.combine)
    spans = [
        pb.EmbeddedSpan(
            span=common_pb2.Span(start=start, end=end),
            text=one.text[start:end],
            tokens=range(start, end),
            query=query,
            occurrence=occurrence,
        )
        for start, end, query, occurrence in found
    ]
    return pb.SpanEmbeddings(spans=spans, vectors=tensor_of(vectors, request.dtype), info=infos([one.text])[0])


def chunks(reply: Any, kind: str, rows: int) -> Iterator[pb.StreamEmbedResponse]:
    """Cut a reply into chunks of at most so many rows (vectors), as the contract says; 0: one chunk."""
    pieces = (
        list(_embed_pieces(reply, rows) if kind == "embed" else _pieces(reply, rows)) if rows else [(0, 0, 0, reply)]
    )
    for index, (text, layer, token, piece) in enumerate(pieces):
        yield pb.StreamEmbedResponse(
            chunk_index=index,
            last_chunk=index == len(pieces) - 1,
            first_text=text,
            first_layer=layer,
            first_token=token,
            **{kind: piece},
        )


def _embed_pieces(reply: pb.EmbedResponse, rows: int) -> Iterator[tuple[int, int, int, pb.EmbedResponse]]:
    for start in range(0, len(reply.texts), rows):
        stop = min(start + rows, len(reply.texts))
        tensor = _tensor(reply.embeddings, _array(reply.embeddings)[start:stop])
        yield start, 0, 0, pb.EmbedResponse(embeddings=tensor, texts=reply.texts[start:stop], model=reply.model)


def _pieces(reply: Any, rows: int) -> Iterator[tuple[int, int, int, Any]]:
    held: list[Any] = []
    for text, entry in enumerate(reply.texts):
        array = _array(entry.vectors)
        size = int(np.prod(array.shape[:-1]))
        if size <= rows:
            if sum(int(np.prod(list(one.vectors.shape)[:-1])) for one in held) + size > rows:
                yield text - len(held), 0, 0, _reply(reply, held)
                held = []
            held.append(entry)
            continue
        if held:
            yield text - len(held), 0, 0, _reply(reply, held)
            held = []
        layered = array if array.ndim == 3 else array[np.newaxis]
        total = layered.shape[1]
        together = max(1, rows // total)
        step = total if total <= rows else rows
        for layer in range(0, len(layered), together):
            for token in range(0, total, step):
                part = layered[layer : layer + together, token : token + step]
                piece = type(entry)(vectors=_tensor(entry.vectors, part if array.ndim == 3 else part[0]))
                if layer == 0 and token == 0:
                    piece.info.CopyFrom(entry.info)
                if layer == 0:
                    _copy_columns(entry, piece, token, token + step)
                yield text, layer, token, _reply(reply, [piece])
    if held:
        yield len(reply.texts) - len(held), 0, 0, _reply(reply, held)


def _reply(reply: Any, entries: list[Any]) -> Any:
    return type(reply)(texts=entries, model=reply.model)


def _copy_columns(entry: Any, piece: Any, start: int, stop: int) -> None:
    if isinstance(entry, pb.SpanEmbeddings):
        piece.spans.extend(entry.spans[start:stop])
        return
    for column in common_pb2.Tokens.DESCRIPTOR.fields:
        getattr(piece.tokens, column.name).extend(getattr(entry.tokens, column.name)[start:stop])


def _array(tensor: tensor_pb2.Tensor) -> np.ndarray:
    assert tensor.dtype == tensor_pb2.DATA_TYPE_FLOAT32, "the double cuts float32 alone"
    return np.frombuffer(tensor.data, "<f4").reshape(list(tensor.shape))


def _tensor(like: tensor_pb2.Tensor, array: np.ndarray) -> tensor_pb2.Tensor:
    return tensor_pb2.Tensor(dtype=like.dtype, shape=array.shape, data=array.astype("<f4").tobytes())
