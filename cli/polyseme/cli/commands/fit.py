"""polyseme fit: train a head on labelled texts, and put it into a new artifact."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.arguments.offsets import add_offset_unit_argument
from polyseme.cli.errors import CliError
from polyseme.cli.output.lines import spell_out
from polyseme.cli.output.progress import step_line
from polyseme.cli.output.table import print_table
from polyseme.cli.termination import removing_at_sigterm

if TYPE_CHECKING:
    from polyseme.artifact import Artifact, Manifest
    from polyseme.export.fitting.fit import Fitted
    from polyseme.export.fitting.tokens.fit import FittedTokens

EXTRA: Final = "fit"

_MOST_FAULTS: Final = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("artifact", metavar="ARTIFACT", type=Path, help="directory of an artifact; it stays as it is")
    parser.add_argument(
        "-d",
        "--data",
        metavar="FILE",
        required=True,
        help="labelled texts: .csv, .tsv, .jsonl, .json or .parquet, or one of these as .gz",
    )
    parser.add_argument("--text", metavar="NAME", default="text", help="column or field of the text [%(default)s]")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--label", metavar="NAME", default="label", help="column or field of its class [%(default)s]")
    what.add_argument(
        "--entities",
        metavar="NAME",
        help="train a head that finds entities: field of .jsonl or .json, a list of objects with start, end and label",
    )
    add_offset_unit_argument(parser)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="directory of the new artifact")
    parser.add_argument(
        "--head", metavar="NAME", help="name of the head [classification; with --entities token_classification]"
    )
    parser.add_argument(
        "--class-weights",
        choices=["none", "balanced"],
        default="none",
        help="balanced: each class counts the same, however many rows it has [%(default)s]",
    )
    parser.add_argument("--report", metavar="DIR", type=Path, help="folder of the report [that of -o, with -report]")
    parser.add_argument("--force", action="store_true", help="replace an artifact that exists")


def run(args: argparse.Namespace) -> int:
    """Fit; write the artifact and the report."""
    from polyseme.artifact import ArtifactError
    from polyseme.export.errors import ExportError
    from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError

    folder = args.report or args.output.with_name(f"{args.output.absolute().name}-report")
    _refuse_folder(folder, args.output)
    if args.head is None:
        args.head = "classification" if args.entities is None else "token_classification"
    try:
        with removing_at_sigterm(), step_line() as show:
            show("reading texts")
            done = (_fit_classes if args.entities is None else _fit_entities)(args, show)
        folder.mkdir(parents=True, exist_ok=True)
        done.report(folder)
    except (ArtifactError, ExportError, RuntimeUnavailableError, TokenizerError) as error:
        raise CliError(str(error), 2) from error
    except OSError as error:
        raise CliError(f"cannot write the report to {folder}: {error.strerror}", 1) from error
    done.show()
    new = f"{done.written.name}@{done.written.version} in {args.output}"
    print(f"{new}: head {args.head}, {done.count}; report in {folder}")
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A head that was fitted and written.

    Attributes:
        written: the manifest of the new artifact.
        count: how many classes or labels it has, in words.
        report: writes the report into a folder.
        show: prints the figures.
    """

    written: Manifest
    count: str
    report: Callable[[Path], None]
    show: Callable[[], None]


def _fit_classes(args: argparse.Namespace, show: Callable[[str], None]) -> _Done:
    from polyseme.artifact import Artifact
    from polyseme.export.fitting.fit import fit
    from polyseme.export.fitting.pictures import draw_confusion, draw_curve
    from polyseme.export.fitting.report import report
    from polyseme.export.fitting.texts import labelled
    from polyseme.export.fitting.vectors import vectors_of
    from polyseme.export.fitting.writing import HeadWriter

    if args.text == args.label:
        raise CliError("--text and --label are one column", 2)
    texts, labels, places = _read(args, args.label)
    data = labelled(texts, [_label(label) for label in labels], places)
    artifact = Artifact.open(args.artifact)
    with HeadWriter(artifact, args.output, args.head, replace=args.force) as writer:
        vectors = vectors_of(artifact, data.texts, _counting(len(data), show))
        fitted = fit(data, vectors, class_weight=args.class_weights, progress=lambda step: show(f"choosing: {step}"))
        written = writer.write(fitted, fitted.chosen(vectors))

    def write_report(folder: Path) -> None:
        (folder / "report.md").write_text(report(fitted, _source(artifact)), encoding="utf-8")
        draw_curve(fitted.curve, folder / "curve.svg")
        draw_confusion(fitted, folder / "confusion.svg")

    return _Done(
        written=written.manifest,
        count=f"{len(fitted.classes)} classes",
        report=write_report,
        show=lambda: _show_classes(fitted),
    )


def _fit_entities(args: argparse.Namespace, show: Callable[[str], None]) -> _Done:
    from polyseme.artifact import Artifact
    from polyseme.export.fitting.pictures import draw_curve
    from polyseme.export.fitting.tokens.fit import fit_tokens
    from polyseme.export.fitting.tokens.report import report_of_tokens
    from polyseme.export.fitting.tokens.spans import spanned
    from polyseme.export.fitting.tokens.tokens import tagged
    from polyseme.export.fitting.tokens.vectors import vectors_of_tokens
    from polyseme.export.fitting.writing import HeadWriter
    from polyseme.runtime.text.offsets import OffsetUnit

    if args.text == args.entities:
        raise CliError("--text and --entities are one field", 2)
    texts, spans, places = _read(args, args.entities)
    data = spanned(texts, spans, places, OffsetUnit(args.offset_unit))
    artifact = Artifact.open(args.artifact)
    with HeadWriter(artifact, args.output, args.head, replace=args.force) as writer:
        tokens = tagged(artifact, data)
        vectors = vectors_of_tokens(artifact, tokens, _counting(len(data), show))
        fitted = fit_tokens(
            tokens, vectors, class_weight=args.class_weights, progress=lambda step: show(f"choosing: {step}")
        )
        written = writer.write(fitted, vectors[fitted.layer])

    def write_report(folder: Path) -> None:
        (folder / "report.md").write_text(report_of_tokens(fitted, _source(artifact)), encoding="utf-8")
        draw_curve(fitted.curve, folder / "curve.svg", "F1")

    return _Done(
        written=written.manifest,
        count=f"{len(fitted.by_label)} labels of spans",
        report=write_report,
        show=lambda: _show_entities(fitted),
    )


def _source(artifact: Artifact) -> str:
    return f"{artifact.manifest.name}@{artifact.manifest.version}"


def _counting(count: int, show: Callable[[str], None]) -> Callable[[int], None]:
    """Make what shows how many texts are embedded, from how many more are."""
    done = 0

    def add(more: int) -> None:
        nonlocal done
        done += more
        show(f"embedding: {done} of {count} texts, in all layers")

    return add


def _refuse_folder(folder: Path, output: Path) -> None:
    """Refuse a folder that cannot have the report, before anything is computed."""
    if folder.exists() and not folder.is_dir():
        raise CliError(f"--report {folder} is no folder", 2)
    if folder.absolute() == output.absolute():
        raise CliError(f"--report {folder} is the artifact; its files are its own", 2)


def _read(args: argparse.Namespace, label: str) -> tuple[list[str], list[Any], list[str]]:
    """Read texts, what they are labelled with, and where each stands; no message repeats one.

    Raises:
        CliError: a row cannot be read.
    """
    from polyseme.cli.inputs.formats import format_of
    from polyseme.cli.inputs.input_file import open_input

    kind = format_of(argparse.Namespace(), args.data)
    is_json = kind in ("jsonl", "json")
    if kind == "text":
        raise CliError(f"{args.data} has no columns; .csv, .tsv, .jsonl, .json and .parquet have", 2)
    if args.entities is not None and not is_json:
        raise CliError(f"{args.data}: --entities are read from .jsonl and .json", 2)
    if args.entities is None and args.offset_unit != "code_point":
        raise CliError("--offset-unit is for --entities", 2)
    with open_input(
        argparse.Namespace(keep=(label,), **{"field" if is_json else "column": args.text}), args.data
    ) as data:
        records = list(data.records())
    faulty = [record for record in records if record.problem is not None]
    if faulty:
        shown = "; ".join(f"{data.unit} {record.number} {record.problem}" for record in faulty[:_MOST_FAULTS])
        raise CliError(f"{data.name}: {len(faulty)} rows cannot be read: {shown}", 2)
    places = [f"{data.unit} {record.number}" for record in records]
    return [record.text for record in records], [record.kept[0] for record in records], places


def _label(value: Any) -> str:  # noqa: ANN401  of JSON and Parquet: any type
    """Spell a label; empty where there is none, and of bytes, which are no text."""
    return str(value) if isinstance(value, str | int | float) else ""


def _show_classes(fitted: Fitted) -> None:
    from polyseme.export.fitting.curve import verdict

    best, now = fitted.choice.best, fitted.curve[-1]
    rows = [
        (str(one.layer), one.pooling.value, f"{one.accuracy:.3f} ± {one.error:.3f}" + (" *" if one is best else ""))
        for one in fitted.choice.tried
    ]
    print_table(("layer", "pooling:", "accuracy:"), rows)
    print(f"accuracy {now.score:.3f} ± {now.error:.3f} on {len(now.effects)} rows held out")
    print(verdict(fitted.curve))


def _show_entities(fitted: FittedTokens) -> None:
    from polyseme.export.fitting.curve import verdict

    rows = [
        (str(one.layer), f"{one.score.f1:.3f} ± {one.score.error:.3f}" + (" *" if one.layer == fitted.layer else ""))
        for one in fitted.tried
    ]
    print_table(("layer", "F1:"), rows)
    scores = [(spell_out(label), score) for label, score in fitted.by_label.items()]
    print_table(
        ("label:", "spans", "precision", "recall", "F1:"),
        [
            (
                name,
                str(score.spans),
                f"{score.precision:.3f}",
                f"{score.recall:.3f}",
                f"{score.f1:.3f} ± {score.error:.3f}",
            )
            for name, score in [*scores, ("all", fitted.whole)]
        ],
        caption=f"on {len(fitted.curve[-1].effects)} rows held out",
    )
    if fitted.beyond:
        print(f"{fitted.beyond} spans are behind the end of what the model takes; they were left out")
    print(verdict(fitted.curve, "F1"))
