"""The tokens of a second text, for models that are told. Pure: numpy alone.

A pair of texts is one sequence of ids. In it the ids of the second text's tokens are raised by the size of the
vocabulary; whoever puts a batch together lowers them again, and has them take their own rows of the position table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

Int32Array = npt.NDArray[np.int32]


class Sizes(Protocol):
    """The sizes that are asked of an encoder."""

    @property
    def vocab_size(self) -> int:
        """Rows of the word table."""

    @property
    def max_position_embeddings(self) -> int:
        """Rows of the position table for each type."""

    @property
    def token_types(self) -> int:
        """1 or 2."""


@dataclass(frozen=True, slots=True)
class TokenTypes:
    """The way in which a model with two types of tokens is told of the second.

    Attributes:
        vocab_size: by which their ids are raised.
        positions: how many rows further on their positions are.
    """

    vocab_size: int
    positions: int

    @classmethod
    def of(cls, encoder: Sizes) -> Self | None:
        """Those of an encoder; None where all tokens are of one type."""
        return cls(encoder.vocab_size, encoder.max_position_embeddings) if encoder.token_types > 1 else None

    def mark(self, ids: Int32Array, is_second: npt.NDArray[np.bool_]) -> Int32Array:
        """Raise the ids [T] of the second text's tokens, which a mask [T] tells."""
        marked: Int32Array = ids + np.int32(self.vocab_size) * is_second
        return marked

    def split(self, ids: Int32Array) -> tuple[Int32Array, Int32Array]:
        """Give ids [...] as the vocabulary has them, and how many rows further on the position of each is."""
        is_second = ids >= self.vocab_size
        return ids - np.int32(self.vocab_size) * is_second, np.int32(self.positions) * is_second
