"""polyseme verify: check that an artifact is as export wrote it, and computes what it should."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.errors import CliError
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from polyseme.artifact import Artifact
    from polyseme.export.gates.second_opinion import Opinion

EXTRA: Final = "server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="directory of an artifact made by `polyseme export`"
    )
    parser.add_argument("--full", action="store_true", help="check every length, not only a few texts")
    parser.add_argument(
        "--against",
        metavar="SOURCE",
        help="checkpoint to compare every layer with, run by transformers",
    )


def run(args: argparse.Namespace) -> int:
    """Check, and print the findings."""
    from polyseme.artifact import Artifact, ArtifactError
    from polyseme.runtime.errors import RuntimeUnavailableError, SelfCheckError, TokenizerError
    from polyseme.runtime.verification.selfcheck import self_check

    try:
        artifact = Artifact.open(args.directory)
        findings = self_check(artifact, full=args.full)
    except (ArtifactError, RuntimeUnavailableError, SelfCheckError, TokenizerError) as error:
        raise CliError(str(error), 2) from error
    opinion = None if args.against is None else _ask(artifact, args.against, full=args.full)
    rows = [("hashes", f"{len(artifact.manifest.files)} files, all right")]
    rows += [(finding.check, finding.result) for finding in findings]
    print_table(("check:", "result:"), rows)
    if opinion is not None:
        _show(opinion)
        if opinion.beyond:
            raise CliError(opinion.beyond)
    print(f"{artifact.manifest.name}@{artifact.manifest.version} is sound")
    return 0


def _ask(artifact: Artifact, source: str, *, full: bool) -> Opinion:
    try:
        from polyseme.export import ExportError
        from polyseme.export.gates.second_opinion import ask_transformers
    except ModuleNotFoundError as error:
        raise CliError(f"--against needs {error.name}: pip install 'polyseme[optimum]'", 2) from error
    try:
        return ask_transformers(artifact, source, full=full)
    except ExportError as error:
        raise CliError(str(error), 2) from error


def _show(opinion: Opinion) -> None:
    """Print the largest deviation of each layer and of pooled vectors, a column for each form of the graphs."""
    reports = [deviation.as_json() for deviation in opinion.deviations.values()]
    layers = [report.get("layer_l2", {}) for report in reports]
    rows = [
        (f"layer {layer}, relative L2 of a token", *(_shown(each.get(layer)) for each in layers)) for layer in layers[0]
    ]
    for name, of in (("token_abs", "a token"), ("last_four_abs", "the last four layers"), ("pooled_abs", "pooled")):
        rows.append((f"max abs, {of}", *(_shown(report.get(name)) for report in reports)))
    rows.append(("least cosine, pooled", *(f"{report['pooled_cosine']:.7f}" for report in reports)))
    print_table(("against transformers:", *opinion.deviations), rows)


def _shown(distance: float | None) -> str:
    return "" if distance is None else f"{distance:.1e}"
