"""The order of things, when texts of a file become vectors or predictions in a file."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

from polyseme.cli.arguments.connection import client_from
from polyseme.cli.bulk.arguments import check_bulk
from polyseme.cli.bulk.formats import Format, Row
from polyseme.cli.bulk.output_file import OutputFile
from polyseme.cli.bulk.progress import Progress
from polyseme.cli.bulk.work import Work
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.input_file import InputFile, open_input
from polyseme.cli.inputs.records import Record
from polyseme.cli.output.files import refuse_to_replace
from polyseme.client import Model, PolysemeError

SKIPPED: Final = 3
"""The exit code if rows have no result."""
COMMIT_EVERY_S: Final = 0.5
"""Work that a crash costs; a commit is two or three fsyncs."""
COMMIT_ROWS: Final = 4096
"""Rows that are in memory at most."""


def run_file(args: argparse.Namespace, path: Path, work: Work) -> int:
    """Do the work on the texts of --input, into `path`; give the exit code.

    Raises:
        CliError: an expected failure; the message says how to go on.
        PolysemeError: the server failed before anything was begun.
    """
    check_bulk(args, path)
    with _translated_os_errors(path), OutputFile(path) as output:
        if output.job is None:
            refuse_to_replace(path, args)
        with open_input(args, args.input) as input_file, client_from(args) as client:
            work.check(input_file, path)
            model = client.model()
            job = _job(work.decisive, input_file, model)
            format_ = work.begin(client, input_file, path, job)
            if output.is_finished and output.job == job and not args.restart:
                committed = output.committed
                output.discard()
            else:
                refuse_to_replace(path, args)
                records = input_file.records()
                _begin(args, output, records, job, format_)
                first, skip = output.committed.rows, args.on_error == "skip"
                rows = work.rows(client, model, records, first=first, skip=skip)
                pending: list[Row] = []
                with _keep_rows_on_failure(output, pending, input_file.unit, format_):
                    if not output.committed.sealed:
                        _write_rows(args, output, input_file, rows, pending, format_)
                    committed = output.committed
                    output.finish(format_)
    failed = f"; {committed.failed:,} without a {work.result}, see {path}.errors.jsonl" if committed.failed else ""
    _print_note(f"{path}: {committed.rows:,} rows{failed}")
    return SKIPPED if committed.failed else 0


def _begin(
    args: argparse.Namespace, output: OutputFile, records: Iterator[Record], job: dict[str, Any], format_: Format
) -> None:
    """Resume an earlier run, or begin anew."""
    if not output.can_resume or args.restart:
        output.begin(job, format_)
        return
    before = output.job or {}
    differences = [
        "the input has changed" if name == "input sha256" else f"{name} was {before.get(name)}, now {job.get(name)}"
        for name in {**before, **job}
        if before.get(name) != job.get(name)
    ]
    if differences:
        raise CliError(
            f"{output.path} was begun differently: {'; '.join(differences)}; use --restart to begin again", 2
        )
    output.resume()
    for _ in islice(records, output.committed.rows):
        pass
    _print_note(f"{output.path}: going on at row {output.committed.rows:,}")


def _write_rows(
    args: argparse.Namespace,
    output: OutputFile,
    input_file: InputFile,
    rows: Generator[Row],
    pending: list[Row],
    format_: Format,
) -> None:
    """Write all rows; those in `pending` are not committed yet."""
    progress = Progress(input_file.rows, output.committed.rows, show=args.progress is not False)
    try:
        due = time.monotonic() + COMMIT_EVERY_S
        for row in rows:
            if row.result is None and args.on_error == "stop":
                at = f"{input_file.name} {input_file.unit} {row.record.number} (row {row.position:,})"
                raise CliError(f"{at} {row.problem}; --on-error skip goes on without it")
            pending.append(row)
            progress.advance()
            if time.monotonic() >= due or len(pending) >= COMMIT_ROWS:
                output.commit(pending, input_file.unit, format_)
                pending.clear()
                due = time.monotonic() + COMMIT_EVERY_S
        output.commit(pending, input_file.unit, format_)
    finally:
        rows.close()
        progress.close()
    if not output.committed.rows:
        raise CliError(f"{input_file.name} has no texts", 2)
    input_file.content.check_unchanged()
    _print_note(progress.summary())


@contextmanager
def _keep_rows_on_failure(output: OutputFile, pending: list[Row], unit: str, format_: Format) -> Iterator[None]:
    """Commit the rows that are finished if the run ends early, and say so."""
    try:
        yield
    except (PolysemeError, CliError, KeyboardInterrupt) as error:
        with suppress(OSError):
            output.commit(pending, unit, format_)
        kept = _note_kept_rows(output)
        if isinstance(error, KeyboardInterrupt):
            _print_note(f"interrupted{kept or '; nothing is kept'}")
        if isinstance(error, PolysemeError):
            raise CliError(f"{error}{kept}") from error
        raise
    except OSError as error:
        raise CliError(f"cannot write {output.path}: {error.strerror}{_note_kept_rows(output)}") from error


def _note_kept_rows(output: OutputFile) -> str:
    if output.committed.rows:
        return f"; {output.committed.rows:,} rows are kept, the same command goes on"
    with suppress(OSError):
        output.discard()
    return ""


def _job(decisive: dict[str, Any], input_file: InputFile, model: Model) -> dict[str, Any]:
    """Describe all that decides the bytes of the output, by its names in messages."""
    identity = model.identity
    return {
        "model": f"{identity.name} {identity.version} {identity.precision}",
        **decisive,
        **{f"input {name}": value for name, value in input_file.identity.items()},
    }


@contextmanager
def _translated_os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except PolysemeError:  # of which one is an OSError too
        raise
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}") from error


def _print_note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
