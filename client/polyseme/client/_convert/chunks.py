"""Put the chunks of a streamed reply together into whole texts. Pure; each chunk is checked against those before it.

A chunk holds whole texts or a part of one text. A tensor is split along its layers, and along tokens (or spans) only
where one layer does not fit. Columns come with layer 0, `info` with the first chunk of its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from polyseme.client._convert.vectors import decode_asked
from polyseme.client.errors import InvalidReplyError
from polyseme.client.results import TextInfo
from polyseme.v1 import tensor_pb2

_Column = TypeVar("_Column")


class ChunkEntry(NamedTuple, Generic[_Column]):
    """One entry of a chunk: a whole text, or the next part of one.

    Attributes:
        columns: one for each of its tokens or spans; none where its vectors start at a later layer than 0.
        vectors: [T, H] or [layers, T, H], as sent.
        info: token counts of the text; only in the first entry of it.
    """

    columns: Sequence[_Column]
    vectors: tensor_pb2.Tensor
    info: TextInfo | None


class AssembledText(NamedTuple, Generic[_Column]):
    """One text, put together.

    Attributes:
        columns: one for each token or span.
        vectors: [T, H] float32, or [layers, T, H] where several layers are kept apart; owned, writable.
        info: token counts of the text.
    """

    columns: list[_Column]
    vectors: npt.NDArray[np.float32]
    info: TextInfo


class TextAssembler(Generic[_Column]):
    """Puts the entries of one text together, in the order in which they come.

    The next entry must start at `_layer` and `_token`. The number of tokens is known once layer 0 has ended, which only
    an entry of another layer, or the end of the text, tells.
    """

    def __init__(self, layers: int, dtype: tensor_pb2.DataType.ValueType) -> None:
        self._layers, self._dtype = layers, dtype
        self._columns: list[_Column] = []
        self._blocks: list[list[npt.NDArray[np.float32]]] = []  # of layers that were sent together; cut along tokens
        self._info: TextInfo | None = None
        self._layer = 0
        self._token = 0

    def add(self, entry: ChunkEntry[_Column], first_layer: int, first_token: int) -> None:
        """Add the next entry, which starts at this layer and token.

        Raises:
            InvalidReplyError: it does not follow those before it, or contradicts itself.
        """
        vectors = self._decode(entry.vectors)
        layers, tokens = (1, len(vectors)) if vectors.ndim == 2 else vectors.shape[:2]
        if self._blocks and self._layer == 0 and first_token == 0:
            self._layer, self._token = 1, 0  # layer 0 has ended
        self._check_place(first_layer, first_token, layers)
        self._check_tokens(len(entry.columns), layers, tokens)
        self._check_fit(vectors, entry.info)
        if first_token == 0:
            self._blocks.append([])
        self._blocks[-1].append(vectors)
        self._columns.extend(entry.columns)
        self._advance(layers, tokens)

    def assembled(self) -> AssembledText[_Column]:
        """Give the whole text.

        Raises:
            InvalidReplyError: entries are missing.
        """
        ended = self._layer or min(len(self._blocks), 1)
        if ended != self._layers or (self._layer and self._token) or self._info is None:
            raise InvalidReplyError(f"reply ends a text within layer {self._layer} of {self._layers}")
        blocks = [block[0] if len(block) == 1 else np.concatenate(block, axis=-2) for block in self._blocks]
        vectors = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=0)
        return AssembledText(self._columns, vectors, self._info)

    def _decode(self, tensor: tensor_pb2.Tensor) -> npt.NDArray[np.float32]:
        """Decode vectors: [T, H] where one layer was asked for, sent as that or as [1, T, H]; else [layers, T, H]."""
        vectors: npt.NDArray[Any] = decode_asked(tensor, self._dtype, "vectors")
        if self._layers == 1 and vectors.ndim == 3 and vectors.shape[0] == 1:
            vectors = vectors[0].copy()
        if vectors.ndim != (2 if self._layers == 1 else 3) or 0 in vectors.shape[:-2]:
            raise InvalidReplyError(
                f"reply has vectors of shape {list(tensor.shape)}; layers kept apart: {self._layers}"
            )
        return vectors

    def _check_place(self, first_layer: int, first_token: int, layers: int) -> None:
        if (first_layer, first_token) != (self._layer, self._token):
            raise InvalidReplyError(
                f"chunk starts at layer {first_layer}, token {first_token}; expected {self._layer}, {self._token}"
            )
        if first_layer + layers > self._layers:
            raise InvalidReplyError(f"reply has layer {first_layer + layers - 1}; {self._layers} were asked for")

    def _check_tokens(self, columns: int, layers: int, tokens: int) -> None:
        if columns != (0 if self._layer else tokens):
            raise InvalidReplyError(f"reply has {columns} columns for {tokens} vectors from layer {self._layer} on")
        if self._token and (layers > 1 or not tokens):
            raise InvalidReplyError(f"chunk from token {self._token} on has {layers} layers of {tokens} tokens")
        if self._layer == 0:
            return
        total, end = len(self._columns), self._token + tokens
        if end > total or (total and not tokens) or (layers > 1 and end != total):
            raise InvalidReplyError(f"layer {self._layer} has tokens {self._token} to {end} of {total}")

    def _check_fit(self, vectors: npt.NDArray[np.float32], info: TextInfo | None) -> None:
        if not self._blocks:
            if info is None:
                raise InvalidReplyError("reply has a text without info")
            self._info = info
        elif (before := self._blocks[0][0].shape[-1]) != vectors.shape[-1]:
            raise InvalidReplyError(f"chunks of one text have vectors of {before} and {vectors.shape[-1]} elements")

    def _advance(self, layers: int, tokens: int) -> None:
        self._token += tokens
        if layers > 1 or (self._layer and self._token == len(self._columns)):
            self._layer, self._token = self._layer + layers, 0


class TextListAssembler(Generic[_Column]):
    """Puts the chunks of one reply to several texts together.

    Args of the constructor: number of texts in the request; number of layers that are kept apart; the type of vectors
    that was asked for.
    """

    def __init__(self, count: int, layers: int, dtype: tensor_pb2.DataType.ValueType) -> None:
        self._count, self._layers, self._dtype = count, layers, dtype
        self._texts: list[AssembledText[_Column]] = []
        self._open: TextAssembler[_Column] | None = None

    def add(self, entries: Sequence[ChunkEntry[_Column]], first_text: int, first_layer: int, first_token: int) -> None:
        """Add the next chunk, whose first entry starts at this text, layer and token.

        Raises:
            InvalidReplyError: it does not follow those before it, or contradicts itself.
        """
        if not entries:
            raise InvalidReplyError("reply has a chunk without texts")
        if self._open is not None and first_text != len(self._texts):
            self._close()
        if first_text != len(self._texts) or (
            len(entries) > 1 and (first_layer or first_token or self._open is not None)
        ):
            raise InvalidReplyError(f"chunk starts at text {first_text}; expected {len(self._texts)}")
        for entry in entries:
            if self._open is not None and entry is not entries[0]:
                self._close()
            self._open = self._open or TextAssembler(self._layers, self._dtype)
            self._open.add(entry, first_layer, first_token)

    def assembled(self) -> list[AssembledText[_Column]]:
        """Give all texts.

        Raises:
            InvalidReplyError: some are missing, or their vectors differ in width.
        """
        if self._open is not None:
            self._close()
        if len(self._texts) != self._count:
            raise InvalidReplyError(f"reply to {self._count} texts has {len(self._texts)}")
        widths = {text.vectors.shape[-1] for text in self._texts}
        if len(widths) > 1:
            raise InvalidReplyError(f"reply has vectors of {len(widths)} widths, {sorted(widths)}")
        return self._texts

    def _close(self) -> None:
        if self._open is not None:
            self._texts.append(self._open.assembled())
            self._open = None
