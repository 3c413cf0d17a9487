"""Texts of token ids, put together for one run of a session. Pure: numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyseme.artifact.graphs import INPUT_IDS, LENGTHS, POSITION_IDS
from polyseme.runtime.batches.positions import padded_position_ids
from polyseme.runtime.batches.token_types import TokenTypes

Int32Array = npt.NDArray[np.int32]

Ids: TypeAlias = Sequence[int] | Int32Array
"""Token ids of a text; arrays, as the tokenizer gives them, are put together as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The inputs of a padded graph.

    Attributes:
        input_ids: [B, S] int32, padded on the right.
        lengths: [B] int32, real tokens of each row, 1..S.
        padding_idx: as the model's spec has it; None: its graph finds the positions itself.
        type_rows: [B, S] int32, how many rows further on a token's position is for its type; None: there is one type.
    """

    input_ids: Int32Array
    lengths: Int32Array
    padding_idx: int | None = None
    type_rows: Int32Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(B, S)."""
        rows, columns = self.input_ids.shape
        return rows, columns

    @property
    def starts(self) -> Int32Array:
        """[B] int32, where each text begins, reading row by row."""
        rows, columns = self.shape
        return np.arange(0, rows * columns, columns, dtype=np.int32)

    def feeds(self) -> dict[str, Int32Array]:
        """Give the inputs of the graph.

        Returns:
            int32 arrays by name; `polyseme.artifact.graphs` has their shapes.
        """
        feeds = {INPUT_IDS: self.input_ids, LENGTHS: self.lengths}
        if self.padding_idx is not None:
            feeds[POSITION_IDS] = padded_position_ids(self.input_ids, self.padding_idx)
        if self.type_rows is not None:
            feeds[POSITION_IDS] = np.arange(self.shape[1], dtype=np.int32) + self.type_rows
        return feeds


def collate(
    sequences: Sequence[Ids],
    pad_token_id: int,
    padding_idx: int | None = None,
    *,
    types: TokenTypes | None = None,
    multiple: int = 1,
    most: int = 0,
) -> Batch:
    """Pad sequences of token ids on the right to the longest of them.

    Args:
        sequences: B >= 1 sequences of at least one id each.
        pad_token_id: any id of the vocabulary; padding is never attended to.
        padding_idx: of the model's spec.
        types: of the model, where it has two.
        multiple: S is rounded up to a multiple of this, but not beyond `most`.
        most: most tokens of a text; needed where `multiple` is more than 1.

    Raises:
        ValueError: no sequence, or an empty one: a row without a token has no mean.
    """
    lengths = np.fromiter(map(len, sequences), dtype=np.int32, count=len(sequences))
    if not lengths.size or not lengths.min():
        raise ValueError(f"collate needs 1 or more sequences of 1 or more ids; got lengths {lengths.tolist()[:8]}")
    longest = int(lengths.max())
    columns = max(longest, min(-(-longest // multiple) * multiple, most))
    input_ids = np.full((len(sequences), columns), pad_token_id, dtype=np.int32)
    for row, ids in zip(input_ids, sequences, strict=True):
        row[: len(ids)] = ids
    type_rows = None
    if types is not None:
        input_ids, type_rows = types.split(input_ids)
    return Batch(input_ids=input_ids, lengths=lengths, padding_idx=padding_idx, type_rows=type_rows)
