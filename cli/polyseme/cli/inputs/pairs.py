"""Make pairs of texts of the columns that hold them."""

from __future__ import annotations

from collections.abc import Iterator

from polyseme.cli.inputs.records import Record


def with_second(records: Iterator[Record], name: str) -> Iterator[Record]:
    """Take the last value that each record keeps as its second text.

    Args:
        records: each keeps a value of this column, after all others.
        name: of the column or field, for messages.
    """
    for record in records:
        if record.problem is not None:
            yield record
            continue
        *kept, second = record.kept
        if isinstance(second, str):
            yield record._replace(kept=tuple(kept), second=second)
        else:
            yield record._replace(problem=f"field or column {name} is not a string", kept=tuple(kept))
