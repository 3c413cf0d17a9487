"""polyseme export: turn a checkpoint into an artifact."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.numbers import positive
from polyseme.cli.errors import CliError
from polyseme.cli.output.progress import step_line
from polyseme.cli.output.table import print_table
from polyseme.cli.termination import removing_at_sigterm

if TYPE_CHECKING:
    from polyseme.artifact import Artifact
    from polyseme.export import ExportOptions

EXTRA: Final = "server,export"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="SOURCE", help="checkpoint: a directory, hf:ID[@REVISION], or package:NAME")
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, required=True, help="directory to write the artifact to"
    )
    parser.add_argument("--name", help="the model's name [that of SOURCE]")
    parser.add_argument(
        "--max-length",
        metavar="N",
        type=positive,
        help="most tokens of a text [as SOURCE says, else all positions]",
    )
    parser.add_argument(
        "--precision",
        metavar="P[,P]",
        default="fp32,fp16",
        help="precisions to write: fp32 for CPUs, fp16 for GPUs [%(default)s]",
    )
    parser.add_argument(
        "--exporter",
        choices=["auto", "native", "optimum"],
        default="auto",
        help="builder of the graph; auto: native if the architecture has a mapping, else optimum [%(default)s]",
    )
    parser.add_argument(
        "--verify",
        choices=["standard", "full"],
        default="standard",
        help="lengths to compare with the float64 reference: standard: a few; full: every one [%(default)s]",
    )
    parser.add_argument(
        "--dimensions",
        choices=["model", "all"],
        default="model",
        help="length of vectors; model: cut to the source's truncate_dim where it has one; all: not cut [%(default)s]",
    )
    parser.add_argument(
        "--heads",
        choices=["model", "none"],
        default="model",
        help="heads that predict classes, labels of tokens, answers; model: SOURCE's own; none: no head [%(default)s]",
    )
    parser.add_argument(
        "--head",
        metavar="NAME=SOURCE",
        action="append",
        default=[],
        help="head of another checkpoint over the same encoder, under a name of yours; may be given several times",
    )
    parser.add_argument(
        "--tensorrt",
        action="store_true",
        help="also write a graph in ONNX's own operators, for `serve --device tensorrt`",
    )
    parser.add_argument("--force", action="store_true", help="replace an artifact that exists")


def run(args: argparse.Namespace) -> int:
    """Export; print each step and a summary."""
    from polyseme.artifact import ArtifactError
    from polyseme.export import ExportError, export_model

    try:
        with removing_at_sigterm(), step_line() as show:
            steps, notes = _Steps(show), list[str]()
            artifact = export_model(args.source, args.output, _options(args), steps, notes.append)
    except (ArtifactError, ExportError) as error:
        raise CliError(str(error), 2) from error
    for note in notes:
        print(note)
    _summary(artifact, steps.seconds())
    return 0


def _options(args: argparse.Namespace) -> ExportOptions:
    from polyseme.artifact import Precision
    from polyseme.export import ExportOptions

    try:
        precisions = tuple(dict.fromkeys(Precision(name.strip()) for name in args.precision.split(",")))
    except ValueError:
        raise CliError(f"--precision: got {args.precision[:40]!r}; fp32, fp16 or both, with a comma", 2) from None
    return ExportOptions(
        name=args.name,
        max_tokens=args.max_length,
        precisions=precisions,
        verify=args.verify,
        replace=args.force,
        exporter=args.exporter,
        tensorrt=args.tensorrt,
        dimensions=args.dimensions,
        heads=args.heads,
        more_heads=_more_heads(args.head),
    )


def _more_heads(given: Sequence[str]) -> dict[str, str]:
    heads: dict[str, str] = {}
    for one in given:
        name, separator, source = one.partition("=")
        if not separator or not source:
            raise CliError(f"--head: got {ascii(one)[:80]}; NAME=SOURCE is needed", 2)
        if name in heads:
            raise CliError(f"--head {ascii(name)[1:-1][:64]} is given twice", 2)
        heads[name] = source
    return heads


class _Steps:
    """Shows the current step, and keeps the time at which each began."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._began: dict[str, float] = {}

    def __call__(self, step: str, detail: str = "") -> None:
        self._began.setdefault(step, time.perf_counter())
        self._show(f"{step}: {detail}" if detail else step)

    def seconds(self) -> dict[str, float]:
        """Give the seconds of each step; the last one lasts until now."""
        times = [*self._began.values(), time.perf_counter()]
        return {step: end - begin for step, begin, end in zip(self._began, times, times[1:], strict=False)}


def _summary(artifact: Artifact, seconds: dict[str, float]) -> None:
    manifest = artifact.manifest
    megabytes = sum(file.size for file in manifest.files.values()) / 1e6
    lengths = manifest.parity["lengths"]
    spec, head = manifest.model, manifest.model.embedding
    print(
        f"{manifest.name}@{manifest.version} in {artifact.directory}: {spec.encoder.num_hidden_layers} layers, "
        f"{head.dimensions} dimensions, at most {spec.max_tokens} tokens, "
        f"{head.pooling.value} pooling{' (assumed)' if head.pooling_assumed else ''}; "
        f"{megabytes:.0f} MB; exporter {manifest.builder['exporter']}"
    )
    for name, predicts in spec.predictions.items():
        labels = f", {len(predicts.labels)} labels" if predicts.labels else ""
        print(f"head {name}: {predicts.scores.value}{labels}; {predicts.size / 1e6:.1f} MB")
    columns = (
        "against float64:",
        "token rel. L2",
        "token max abs",
        "last four max abs",
        "pooled max abs",
        "least cosine",
    )
    print_table(columns, [_parity_row(p.value, manifest.parity[p.value]) for p in manifest.precisions])
    mixed = manifest.parity["mixed_batch"]
    print(f"every layer, lengths {lengths[0]} to {lengths[-1]} and a mixed batch of {mixed} texts")
    each = ", ".join(f"{step} {spent:.1f} s" for step, spent in seconds.items())
    print(f"{sum(seconds.values()):.1f} s: {each}")


def _parity_row(precision: str, worst: dict[str, float]) -> list[str]:
    distances = ("token_l2", "token_abs", "last_four_abs", "pooled_abs")
    return [precision, *(f"{worst[name]:.1e}" for name in distances), f"{worst['pooled_cosine']:.7f}"]
