"""polyseme similarity: compare texts with each other, or with a query."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from polyseme.cli.arguments.connection import add_client_arguments, client_from
from polyseme.cli.arguments.numbers import positive
from polyseme.cli.arguments.texts import add_text_arguments
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.input_file import texts_from
from polyseme.cli.output.lines import abridge
from polyseme.cli.output.table import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyseme.client import Client, SimilarityOptions

EXTRA: Final = "cli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_text_arguments(parser)
    add_client_arguments(parser)
    parser.add_argument("-q", "--query", metavar="TEXT", help="text to rank the others by: the closest first")
    parser.add_argument(
        "-k", "--top-k", metavar="K", type=positive, help="with --query: number of closest texts to print [all]"
    )
    parser.add_argument(
        "--metric",
        choices=["cosine", "dot", "euclidean", "manhattan", "model"],
        default="cosine",
        help="measure of similarity; euclidean and manhattan are distances: smaller is closer; model: the one that "
        "the model was made for [%(default)s]",
    )


def run(args: argparse.Namespace) -> int:
    """Print one number for two texts, a matrix for more texts, a ranking for a query."""
    texts = texts_from(args)
    if args.query is None and len(texts) < 2:
        raise CliError(f"got {len(texts)} text; two are needed, or --query", 2)
    if args.query is None and args.top_k is not None:
        raise CliError("--top-k needs --query", 2)
    options: SimilarityOptions = {
        "metric": args.metric,
        "truncate": args.truncate,
        "prompt_name": args.prompt_name,
        "without_prompt": args.without_prompt,
    }
    with client_from(args) as client:
        if args.query is not None:
            _print_ranking(client, args.query, texts, args.top_k, options)
        elif len(texts) == 2:
            print(f"{client.similarity(texts[0], texts[1], **options):.4f}")
        else:
            _print_matrix(client, texts, options)
    return 0


def _print_ranking(
    client: Client, query: str, texts: Sequence[str], top_k: int | None, options: SimilarityOptions
) -> None:
    k = len(texts) if top_k is None else min(top_k, len(texts))
    scores, indices = client.top_k(query, texts, k, **options)
    rows = [(f"{score:.4f}", abridge(texts[index], 100)) for score, index in zip(scores, indices, strict=True)]
    print_table((_metric_name(client, options), "text:"), rows)


def _print_matrix(client: Client, texts: Sequence[str], options: SimilarityOptions) -> None:
    scores = client.similarity(texts, **options)
    rows = [
        (str(number), abridge(text, 32), *(f"{score:.4f}" for score in row))
        for number, (text, row) in enumerate(zip(texts, scores, strict=True), 1)
    ]
    numbers = [str(number) for number in range(1, len(texts) + 1)]
    print_table(("", f"{_metric_name(client, options)}:", *numbers), rows, min_width=44 + 11 * len(texts))


def _metric_name(client: Client, options: SimilarityOptions) -> str:
    metric = options["metric"]
    return (client.model().similarity or metric) if metric == "model" else metric
