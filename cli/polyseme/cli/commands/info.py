"""polyseme info: describe an artifact, or the models of a server."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import add_target_argument, open_client
from polyseme.cli.errors import CliError
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from polyseme.artifact import Manifest
    from polyseme.client import Model

EXTRA: Final = "cli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "directory", metavar="DIR", type=Path, nargs="?", help="directory of an artifact [the models of a server]"
    )
    add_target_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON: the manifest of DIR, or the models")


def run(args: argparse.Namespace) -> int:
    """Print the description."""
    if args.directory is None:
        return _ask(args, as_json=args.json)
    from polyseme.artifact import Artifact, ArtifactError

    try:
        manifest = Artifact.open(args.directory).manifest
    except ArtifactError as error:
        raise CliError(str(error), 2) from error
    if args.json:
        print(manifest.to_json().decode(), end="")
    else:
        print_table(("field:", "value:"), _artifact_rows(manifest))
    return 0


def _ask(args: argparse.Namespace, *, as_json: bool) -> int:
    with open_client(args) as client:
        models = client.models()
    if as_json:
        print(json.dumps([dataclasses.asdict(model) for model in models]))
        return 0
    for model in models:
        print_table(("field:", "value:"), _model_rows(model))
    return 0


def _artifact_rows(manifest: Manifest) -> list[tuple[str, str]]:
    spec = manifest.model
    encoder, head = spec.encoder, spec.embedding
    return [
        ("name", manifest.name),
        ("version", manifest.version),
        ("source", manifest.source.spec),
        ("architecture", f"{encoder.architecture}: {encoder.num_hidden_layers} layers, {encoder.hidden_size} wide, "
         f"{encoder.num_attention_heads} heads"),
        ("text vector", f"{head.dimensions} dimensions, {head.pooling.value} pooling"
         f"{' (assumed)' if head.pooling_assumed else ''}{', length 1' if head.normalizes else ''}"),
        ("similarity", head.similarity),
        ("most tokens", str(spec.max_tokens)),
        ("prompts", ", ".join(spec.prompts) or "none"),
        ("precisions", ", ".join(precision.value for precision in manifest.precisions)),
        ("size", f"{sum(file.size for file in manifest.files.values()) / 1e6:.0f} MB in {len(manifest.files)} files"),
        ("built by", ", ".join(f"{name} {version}" for name, version in manifest.builder.items())),
        *((f"parity {p.value}", _parity(manifest.parity.get(p.value))) for p in manifest.precisions),
        ("SHA-256", manifest.sha256),
    ]  # fmt: skip


def _parity(worst: object) -> str:
    """Show the numbers of a parity report, which is free-form in the manifest; leave out all else."""
    values = worst if isinstance(worst, dict) else {}
    shown = ("token_l2", "token_abs", "pooled_abs", "pooled_cosine")
    return ", ".join(f"{name} {values[name]:g}" for name in shown if isinstance(values.get(name), (int, float)))


def _model_rows(model: Model) -> list[tuple[str, str]]:
    identity, limits = model.identity, model.limits
    return [
        ("name", identity.name + (" (default)" if model.is_default else "")),
        ("version", identity.version),
        ("runs in", f"{identity.precision} on {identity.execution_provider}"),
        ("architecture", f"{model.architecture}: {model.num_hidden_layers} layers, {model.hidden_size} wide"),
        ("text vector", f"{model.dimensions} dimensions, {model.pooling} pooling"
         f"{', length 1' if model.normalizes else ''}"),
        ("similarity", model.similarity or "not said: the server is older than this polyseme"),
        ("most tokens", str(model.max_tokens)),
        ("prompts", ", ".join(model.prompts) or "none"),
        ("one call takes", f"{limits.max_texts} texts of {limits.max_text_bytes} bytes, "
         f"{limits.max_message_bytes} bytes in all"),
        ("weights", f"{model.weight_bytes / 1e6:.0f} MB"),
        ("SHA-256", model.artifact_sha256),
    ]  # fmt: skip
