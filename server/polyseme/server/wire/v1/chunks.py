"""Replies in chunks that fit a message: whole texts together while they fit, a larger text in parts. Pure.

A tensor is split along its layers first, along tokens or spans only where one layer does not fit. Columns that describe
tokens or spans go with layer 0; `info` with the first part of its text. Concatenating the chunks gives the unary reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from polyseme.server.wire.v1.replies import TextReply
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

_COLUMNS: Final = tuple(field.name for field in common_pb2.Tokens.DESCRIPTOR.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a reply that fits a message, and its place in the reply."""

    texts: list[TextReply] = field(default_factory=list)
    first_text: int = 0
    first_layer: int = 0
    first_token: int = 0


class Packer:
    """Packs the texts of one reply, given in order, into chunks."""

    def __init__(self, limit: int) -> None:
        """Start without texts.

        Args:
            limit: most bytes of vectors and columns in a chunk; a single vector may exceed it.
        """
        self._limit = limit
        self._held: list[TextReply] = []
        self._first = 0
        self._bytes = 0

    def add(self, index: int, text: TextReply) -> Iterator[Chunk]:
        """Take the reply to a text; give the chunks that are full."""
        size = text.ByteSize()
        if self._held and self._bytes + size > self._limit:
            yield from self.flush()
        if size > self._limit:
            yield from _split(index, text, self._limit)
            return
        if not self._held:
            self._first = index
        self._held.append(text)
        self._bytes += size

    def flush(self) -> Iterator[Chunk]:
        """Give what is held back."""
        if self._held:
            yield Chunk(texts=self._held, first_text=self._first)
        self._held, self._bytes = [], 0


def embed_chunks(reply: pb.EmbedResponse, limit: int) -> Iterator[tuple[int, pb.EmbedResponse]]:
    """Cut a reply to Embed into (first text, chunk)."""
    rows = len(reply.texts)
    step = max(1, limit // max(1, reply.ByteSize() // rows))
    for start in range(0, rows, step):
        stop = min(rows, start + step)
        chunk = pb.EmbedResponse(texts=reply.texts[start:stop], timings=reply.timings, model=reply.model)
        _cut_rows(reply.embeddings, start, stop, chunk.embeddings)
        chunk.embeddings.shape[:] = [stop - start, reply.embeddings.shape[-1]]
        yield start, chunk


def _split(index: int, text: TextReply, limit: int) -> Iterator[Chunk]:
    *apart, rows, width = text.vectors.shape
    layers = apart[0] if apart else 1
    layer_bytes = max(1, len(text.vectors.data) // layers)
    together = max(1, limit // layer_bytes) if apart else 1
    step = rows if layer_bytes <= limit else max(1, limit // max(1, layer_bytes // rows))
    for layer in range(0, layers, together):
        count = min(together, layers - layer)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            cut = _columns(text, row, stop) if layer == 0 else type(text)()
            if layer == 0 and row == 0:
                cut.info.CopyFrom(text.info)
            _cut_rows(text.vectors, layer * rows + row, (layer + count - 1) * rows + stop, cut.vectors)
            cut.vectors.shape[:] = [count, stop - row, width] if apart else [stop - row, width]
            yield Chunk(texts=[cut], first_text=index, first_layer=layer, first_token=row)


def _columns(text: TextReply, start: int, stop: int) -> TextReply:
    """Give the columns of some tokens or spans."""
    if isinstance(text, pb.SpanEmbeddings):
        return pb.SpanEmbeddings(spans=text.spans[start:stop])
    columns = {name: getattr(text.tokens, name)[start:stop] for name in _COLUMNS}
    return pb.TokenEmbeddings(tokens=common_pb2.Tokens(**columns))


def _cut_rows(tensor: tensor_pb2.Tensor, start: int, stop: int, into: tensor_pb2.Tensor) -> None:
    """Copy rows, which lie one behind the other whatever the axes before the last."""
    rows = 1
    for length in tensor.shape[:-1]:
        rows *= length
    size = len(tensor.data) // rows
    into.dtype = tensor.dtype
    into.data = tensor.data[start * size : stop * size]
    into.scales = tensor.scales[start * 4 : stop * 4]
