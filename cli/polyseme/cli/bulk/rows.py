"""Embed records over one stream, and give rows, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

from polyseme.cli.bulk.formats import Row
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.records import Record
from polyseme.client import Client, Model, PolysemeError


def embed_records(
    client: Client, model: Model, records: Iterator[Record], options: dict[str, Any], *, first: int, skip: bool
) -> Generator[Row]:
    """Give one row for each record.

    Args:
        client: the client to call with.
        model: the model that must answer.
        records: the records; read as far ahead as the stream reads.
        options: options of `embed_stream`.
        first: index of the first row.
        skip: whether to read on after a record that cannot be sent; else it is the last one.

    Raises:
        PolysemeError: the stream failed, and not for a single text.
        CliError: another model answers; raised before the first row.
    """
    waiting: deque[Record] = deque()

    def texts() -> Iterator[str]:
        limit = model.limits.max_text_bytes
        for record in records:
            if (size := len(record.text.encode(errors="replace"))) > limit:
                record = record._replace(problem=f"has {size} bytes; limit {limit}")
            waiting.append(record)
            # An empty text stands for one that cannot be sent, so that records and answers stay in step.
            yield record.text if record.problem is None else ""
            if record.problem is not None and not skip:
                return

    for index, answer in enumerate(client.embed_stream(texts(), on_error="return", **options), first):
        if index == first:  # the stream checks that one model answers all its texts; here, that it is this one
            _check_model(client, model)
        record = waiting.popleft()
        if record.problem is not None:
            yield Row(index, record, None, "INVALID_ARGUMENT", record.problem)
        elif isinstance(answer, PolysemeError):
            status = answer.code.name if answer.code else "INVALID_ARGUMENT"  # refused by the SDK, before it was sent
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
        raise CliError(f"the model {before.name} changed from {before.version} to {now.version} during the run")
