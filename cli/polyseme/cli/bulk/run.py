"""The order of things, when texts of a file become vectors in a file."""

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
from polyseme.cli.bulk.formats import Format, JsonLines, Npy, Parquet
from polyseme.cli.bulk.input_file import Source, opened
from polyseme.cli.bulk.output_file import Target
from polyseme.cli.bulk.progress import Progress
from polyseme.cli.bulk.records import Row
from polyseme.cli.bulk.rows import rows_of
from polyseme.cli.errors import CliError
from polyseme.cli.output import refuse_to_replace
from polyseme.client import EmbedResult, Model, PolysemeError

SKIPPED: Final = 3
"""Exit code where rows have no vector."""
COMMIT_EVERY_S: Final = 0.5
"""What a crash costs; a commit is two or three fsyncs."""
COMMIT_ROWS: Final = 4096
"""Rows that are in memory, at most."""
_OPTIONS: Final = ("dtype", "normalize", "dimensions", "truncate", "prompt_name")


def embed_file(args: argparse.Namespace, path: Path) -> int:
    """Embed what --input names into `path`; gives the exit code.

    Raises:
        CliError: anything that is expected to fail; says how to go on.
        PolysemeError: the server failed before anything was begun.
    """
    check_bulk(args, path)
    with _writing(path), Target(path) as target:
        if target.job is None:
            refuse_to_replace(path, args)
        with opened(args) as source, client_from(args) as client:
            options = {name: getattr(args, name) for name in _OPTIONS}
            model, sample = client.model(), client.embed_detailed("", **options)
            job = _job(options, source, model)
            if target.is_finished and target.job == job and not args.restart:
                state = target.state
                target.discard()
            else:
                refuse_to_replace(path, args)
                format_ = _format_of(path, sample, job)
                _begin(args, target, source, job, format_)
                first, skip = target.state.rows, args.on_error == "skip"
                rows = rows_of(client, model, source.records, options, first=first, skip=skip)
                pending: list[Row] = []
                with _keeping(target, pending, source.unit, format_):
                    if not target.state.sealed:
                        _fill(args, target, source, rows, pending, format_)
                    state = target.state
                    target.finish(format_)
    failed = f"; {state.failed:,} without a vector, see {path}.errors.jsonl" if state.failed else ""
    _say(f"{path}: {state.rows:,} rows{failed}")
    return SKIPPED if state.failed else 0


def _begin(args: argparse.Namespace, target: Target, source: Source, job: dict[str, Any], format_: Format) -> None:
    """Go on with what an earlier run left, or begin anew."""
    if not target.can_resume or args.restart:
        target.begin(job, format_)
        return
    before = target.job or {}
    differences = [
        "the input has changed" if name == "input sha256" else f"{name} was {before.get(name)}, now {job[name]}"
        for name in job
        if before.get(name) != job[name]
    ]
    if differences:
        raise CliError(f"{target.path} was begun otherwise: {'; '.join(differences)}; use --restart to begin anew", 2)
    target.resume()
    for _ in islice(source.records, target.state.rows):
        pass
    _say(f"{target.path}: going on at row {target.state.rows:,}")


def _fill(
    args: argparse.Namespace,
    target: Target,
    source: Source,
    rows: Generator[Row],
    pending: list[Row],
    format_: Format,
) -> None:
    """Take rows to the end, and commit them; those in `pending` are not committed yet."""
    progress = Progress(source.rows, target.state.rows, show=args.progress is not False)
    try:
        due = time.monotonic() + COMMIT_EVERY_S
        for row in rows:
            if row.vector is None and args.on_error == "stop":
                at = f"{source.name} {source.unit} {row.record.number} (row {row.position:,})"
                raise CliError(f"{at} {row.problem}; --on-error skip goes on without it")
            pending.append(row)
            progress.advance()
            if time.monotonic() >= due or len(pending) >= COMMIT_ROWS:
                target.commit(pending, source.unit, format_)
                pending.clear()
                due = time.monotonic() + COMMIT_EVERY_S
        target.commit(pending, source.unit, format_)
    finally:
        rows.close()
        progress.close()
    if not target.state.rows:
        raise CliError(f"{source.name} has no texts", 2)
    source.check_unchanged()
    _say(progress.summary())


@contextmanager
def _keeping(target: Target, pending: list[Row], unit: str, format_: Format) -> Iterator[None]:
    """Whatever ends the run early, keep the rows that are finished, and say so."""
    try:
        yield
    except (PolysemeError, CliError, KeyboardInterrupt) as error:
        with suppress(OSError):
            target.commit(pending, unit, format_)
        kept = _kept(target)
        if isinstance(error, KeyboardInterrupt):
            _say(f"interrupted{kept or '; nothing is kept'}")
        if isinstance(error, PolysemeError):
            raise CliError(f"{error}{kept}") from error
        raise
    except OSError as error:
        raise CliError(f"cannot write {target.path}: {error.strerror}{_kept(target)}") from error


def _kept(target: Target) -> str:
    if target.state.rows:
        return f"; {target.state.rows:,} rows are kept, the same command goes on"
    with suppress(OSError):
        target.discard()
    return ""


def _job(options: dict[str, Any], source: Source, model: Model) -> dict[str, Any]:
    """Describe what decides the bytes of the output, by the names that messages give it."""
    identity = model.identity
    return {
        "model": f"{identity.name} {identity.version} {identity.precision}",
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
        **{f"input {name}": value for name, value in source.identity.items()},
    }


def _format_of(path: Path, sample: EmbedResult, job: dict[str, Any]) -> Format:
    if path.suffix == ".jsonl":
        return JsonLines()
    width, dtype = sample.embeddings.shape[-1], sample.embeddings.dtype
    if path.suffix == ".npy":
        return Npy(width, dtype)
    return Parquet(width, dtype, {f"polyseme {name.removeprefix('--')}": str(job[name]) for name in job})


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except PolysemeError:  # of which one is an OSError too
        raise
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}") from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
