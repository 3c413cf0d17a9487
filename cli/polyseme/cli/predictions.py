"""Do what classify, entities, answer and rerank have in common."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from polyseme.cli.arguments.connection import client_from
from polyseme.cli.arguments.predictions import decisive_options, prediction_options
from polyseme.cli.bulk.arguments import check_memory, is_from_file_to_file, lines_path
from polyseme.cli.inputs.formats import refuse_to_keep
from polyseme.cli.inputs.input_file import records_from
from polyseme.cli.output.files import refuse_to_replace, writing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from polyseme.cli.inputs.records import Record
    from polyseme.client import Client, InputInfo
    from polyseme.client.options import PredictionOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePredictions(Generic[T]):
    """The predictions of a subcommand that writes a line for each text.

    Attributes:
        name: of the subcommand.
        decisive: names of its options that decide the lines, beside those of every prediction.
        own_fields: names of the fields of a line, which no column to keep may have.
        ask: asks the server about records.
        fields: gives the fields that a prediction becomes.
        draw: prints predictions on a terminal.
    """

    name: str
    decisive: Sequence[str]
    own_fields: Sequence[str]
    ask: Callable[[Client, Sequence[Record], PredictionOptions], list[T]]
    fields: Callable[[T], dict[str, Any]]
    draw: Callable[[Sequence[Record], list[T]], None]


def predict(args: argparse.Namespace, predictions: LinePredictions[T]) -> int:
    """Print predictions: drawn on a terminal, else an object for each text; bulk/ goes from file to file."""
    options = prediction_options(args)
    path = lines_path(args)
    if path is not None and is_from_file_to_file(args, path):
        from polyseme.cli.bulk.predictions import Prediction
        from polyseme.cli.bulk.run import run_file

        options["priority"] = "bulk"

        def ask(client: Client, records: Sequence[Record]) -> list[dict[str, Any]]:
            return list(map(predictions.fields, predictions.ask(client, records, options)))

        decisive = decisive_options(args, predictions.name, *predictions.decisive)
        return run_file(args, path, Prediction(decisive=decisive, own=predictions.own_fields, predict=ask))
    check_memory(args, path)
    if path is not None:
        refuse_to_replace(path, args)
    records, keep = records_from(args)
    refuse_to_keep(keep, predictions.own_fields)
    with client_from(args) as client:
        predicted = predictions.ask(client, records, options)
    if path is None and not args.json and not keep and sys.stdout.isatty():
        predictions.draw(records, predicted)
    else:
        write_lines(path, records, keep, map(predictions.fields, predicted))
    return 0


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
