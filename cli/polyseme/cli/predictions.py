"""Print what classify, entities, answer and rerank have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
