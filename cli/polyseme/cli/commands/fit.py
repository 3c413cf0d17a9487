"""polyseme fit: train a head on labelled texts, and put it into a new artifact."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyseme.cli.errors import CliError
from polyseme.cli.output import print_table, step_line
from polyseme.cli.termination import removing_at_sigterm

if TYPE_CHECKING:
    from polyseme.artifact import Artifact
    from polyseme.export.fitting.fit import Fitted
    from polyseme.export.fitting.texts import LabelledTexts

NAME: Final = "fit"
HELP: Final = "train a head that tells classes of texts, on labelled texts, and put it into an artifact"
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
    parser.add_argument("--label", metavar="NAME", default="label", help="column or field of its class [%(default)s]")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="directory of the new artifact")
    parser.add_argument("--head", metavar="NAME", default="classification", help="name of the head [%(default)s]")
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
    from polyseme.artifact import Artifact, ArtifactError
    from polyseme.export.errors import ExportError
    from polyseme.export.fitting.fit import fit
    from polyseme.export.fitting.vectors import vectors_of
    from polyseme.export.fitting.writing import HeadWriter
    from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError

    folder = args.report or args.output.with_name(f"{args.output.absolute().name}-report")
    _refuse_folder(folder, args.output)
    try:
        with removing_at_sigterm(), step_line() as show:
            show("reading texts")
            texts = _labelled(args)
            artifact = Artifact.open(args.artifact)
            with HeadWriter(artifact, args.output, args.head, replace=args.force) as writer:
                done = 0

                def count(more: int) -> None:
                    nonlocal done
                    done += more
                    show(f"embedding: {done} of {len(texts)} texts, in all layers")

                vectors = vectors_of(artifact, texts.texts, count)
                fitted = fit(
                    texts,
                    vectors,
                    class_weight=args.class_weights,
                    progress=lambda step: show(f"choosing: {step}"),
                )
                written = writer.write(fitted, vectors)
        _write_report(fitted, artifact, folder)
    except (ArtifactError, ExportError, RuntimeUnavailableError, TokenizerError) as error:
        raise CliError(str(error), 2) from error
    except OSError as error:
        raise CliError(f"cannot write the report to {folder}: {error.strerror}", 1) from error
    _summary(fitted, f"{written.manifest.name}@{written.manifest.version} in {args.output}: head {args.head}", folder)
    return 0


def _refuse_folder(folder: Path, output: Path) -> None:
    """Refuse a folder that cannot have the report, before anything is computed."""
    if folder.exists() and not folder.is_dir():
        raise CliError(f"--report {folder} is no folder", 2)
    if folder.absolute() == output.absolute():
        raise CliError(f"--report {folder} is the artifact; its files are its own", 2)


def _labelled(args: argparse.Namespace) -> LabelledTexts:
    """Read the labelled texts; no message repeats one.

    Raises:
        CliError: a row cannot be read; or FitError: one has no label, or there are too few.
    """
    from polyseme.cli.inputs.formats import format_of
    from polyseme.cli.inputs.input_file import open_input
    from polyseme.export.fitting.texts import labelled

    kind = format_of(argparse.Namespace(), args.data)
    if kind == "text":
        raise CliError(f"{args.data} has no columns; .csv, .tsv, .jsonl, .json and .parquet have", 2)
    if args.text == args.label:
        raise CliError("--text and --label are one column", 2)
    text = "field" if kind in ("jsonl", "json") else "column"
    with open_input(argparse.Namespace(keep=(args.label,), **{text: args.text}), args.data) as data:
        records = list(data.records())
    faulty = [record for record in records if record.problem is not None]
    if faulty:
        shown = "; ".join(f"{data.unit} {record.number} {record.problem}" for record in faulty[:_MOST_FAULTS])
        raise CliError(f"{data.name}: {len(faulty)} rows cannot be read: {shown}", 2)
    labels = [_label(record.kept[0]) for record in records]
    return labelled([record.text for record in records], labels, [f"{data.unit} {record.number}" for record in records])


def _label(value: Any) -> str:  # noqa: ANN401  of JSON and Parquet: any type
    """Spell a label; empty where there is none, and of bytes, which are no text."""
    return str(value) if isinstance(value, str | int | float) else ""


def _write_report(fitted: Fitted, artifact: Artifact, folder: Path) -> None:
    from polyseme.export.fitting.pictures import draw_confusion, draw_curve
    from polyseme.export.fitting.report import report

    folder.mkdir(parents=True, exist_ok=True)
    source = f"{artifact.manifest.name}@{artifact.manifest.version}"
    (folder / "report.md").write_text(report(fitted, source), encoding="utf-8")
    draw_curve(fitted.curve, folder / "curve.svg")
    draw_confusion(fitted, folder / "confusion.svg")


def _summary(fitted: Fitted, written: str, folder: Path) -> None:
    from polyseme.export.fitting.curve import verdict

    best, now = fitted.choice.best, fitted.curve[-1]
    rows = [
        (str(one.layer), one.pooling.value, f"{one.accuracy:.3f} ± {one.error:.3f}" + (" *" if one is best else ""))
        for one in fitted.choice.tried
    ]
    print_table(("layer", "pooling:", "accuracy:"), rows)
    print(f"accuracy {now.accuracy:.3f} ± {now.error:.3f} on {len(now.hits[0])} rows held out")
    print(verdict(fitted.curve))
    print(f"{written}, {len(fitted.classes)} classes; report in {folder}")
