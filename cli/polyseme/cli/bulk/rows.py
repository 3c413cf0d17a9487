"""Records go to the server as one stream, and come back as rows, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

from polyseme.cli.bulk.records import Record, Row
from polyseme.cli.errors import CliError
from polyseme.client import Client, Model, PolysemeError


def rows_of(
    client: Client, model: Model, records: Iterator[Record], options: dict[str, Any], *, first: int, skip: bool
) -> Generator[Row]:
    """Give one row for each record.

    Args:
        client: to ask.
        model: which is to answer.
        records: read as far ahead as the stream reads.
        options: of `embed_stream`.
        first: index of the first row.
        skip: whether to read on after a record that cannot be sent; else it is the last one.

    Raises:
        PolysemeError: a failure that is no single text's.
        CliError: another model answers; before the first row.
    """
    waiting: deque[Record] = deque()

    def texts() -> Iterator[str]:
        limit = model.limits.max_text_bytes
        for record in records:
            if (size := len(record.text.encode(errors="replace"))) > limit:
                record = record._replace(problem=f"has {size} bytes; limit {limit}")
            waiting.append(record)
            # In place of what cannot be sent goes an empty text: records and answers stay in step.
            yield record.text if record.problem is None else ""
            if record.problem is not None and not skip:
                return

    for index, answer in enumerate(client.embed_stream(texts(), on_error="return", **options), first):
        if index == first:  # the stream holds that all its answers are of one model; here, that it is this one
            _check_model(client, model)
        record = waiting.popleft()
        if record.problem is not None:
            yield Row(index, record, None, "INVALID_ARGUMENT", record.problem)
        elif isinstance(answer, PolysemeError):
            status = answer.code.name if answer.code else "INVALID_ARGUMENT"  # refused here, before it was sent
            yield Row(index, record, None, status, _problem(answer, index - first))
        else:
            yield Row(index, record, answer)


def _problem(error: PolysemeError, index: int) -> str:
    """Say why a text has no vector, without its index in the stream, which begins anew with each run."""
    text = str(error).removeprefix(f"{error.target}: ")
    return text.removeprefix(f"texts[{index}]").removeprefix(":").lstrip()


def _check_model(client: Client, model: Model) -> None:
    before, now = model.identity, client.model(model.name).identity
    if (before.version, before.precision) != (now.version, now.precision):
        raise CliError(f"the model {before.name} changed from {before.version} to {now.version} under the run")
