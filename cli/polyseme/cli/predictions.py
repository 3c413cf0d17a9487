"""Print what classify, entities, answer and rerank have in common."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from polyseme.cli.output import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from polyseme.cli.inputs.records import Record
    from polyseme.client import InputInfo


def info_fields(info: InputInfo) -> dict[str, Any]:
    """Give the fields of JSON that tell how an input was run."""
    return {"tokens": info.tokens, "truncated": info.truncated, "windows": info.windows}


def tokens_cell(info: InputInfo) -> str:
    """Give the cell of a table that tells how an input was run."""
    if info.windows > 1:
        return f"{info.tokens} ({info.windows} windows)"
    return f"{info.tokens}{' (cut)' if info.truncated else ''}"


def shortest(score: float) -> float:
    """Give the shortest decimal that is the same float32."""
    import numpy as np

    return float(str(np.float32(score)))


def write_lines(
    path: Path | None, records: Sequence[Record], keep: Sequence[str], predictions: Iterable[dict[str, Any]]
) -> None:
    """Write a line of JSON for each record, with the fields of its prediction, into a file or on stdout."""
    from polyseme.cli.bulk.formats import json_record

    lines = (
        json_record(row, record, keep, fields)
        for row, (record, fields) in enumerate(zip(records, predictions, strict=True))
    )
    if path is None:
        sys.stdout.writelines(lines)
    else:
        with writing(path) as file:
            file.writelines(line.encode() for line in lines)
