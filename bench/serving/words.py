"""What a word in its sentence costs beside the vector of the whole sentence.

Usage: python -m bench.serving.words ARTIFACT [--calls 300] [--rounds 5] [--other HOST:PORT]

Rows are measured in turn in each round, single-text calls, by one caller and by several; ratios are within a round.
--other names a second server, of another version say, whose Embed is measured too.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.lib.closed_loop import closed_loop
from bench.lib.machine import heading
from bench.lib.server import server
from bench.lib.texts import mixed_texts
from rich.console import Console
from rich.table import Table

from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1.common_pb2 import TRUNCATE_END, LayerSelection, Span, TextOptions
from polyseme.v1.tensor_pb2 import DATA_TYPE_FLOAT16

IN_FLIGHT = 16
LAST_FOUR = LayerSelection(layers=[-4, -3, -2, -1])
EVERY_LAYER = LayerSelection(layers=range(7), static_embedding=True)  # of six layers, as MiniLM has
CUT = TextOptions(truncate=TRUNCATE_END)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of call."""

    name: str
    method: str
    request: Callable[[str], pb.EmbedRequest | pb.EmbedSpansRequest | pb.EmbedTokensRequest]
    other: bool = False


def one_word(text: str) -> pb.SpanInput:
    """The word in the middle of the first 400 characters."""
    shown = text[:400].rstrip()
    start = shown.rfind(" ", 0, len(shown) // 2) + 1
    end = shown.find(" ", start)
    return pb.SpanInput(text=text, spans=[Span(start=start, end=len(shown) if end < 0 else end)])


ROWS = (
    Row("Embed", "Embed", lambda t: pb.EmbedRequest(texts=[t], text_options=CUT)),
    Row("Embed, other server", "Embed", lambda t: pb.EmbedRequest(texts=[t], text_options=CUT), other=True),
    Row("one word, last layer", "EmbedSpans", lambda t: pb.EmbedSpansRequest(inputs=[one_word(t)], text_options=CUT)),
    Row(
        "one word, sum of last four",
        "EmbedSpans",
        lambda t: pb.EmbedSpansRequest(inputs=[one_word(t)], layers=LAST_FOUR, text_options=CUT),
    ),
    Row(
        "every word, last layer",
        "EmbedSpans",
        lambda t: pb.EmbedSpansRequest(inputs=[pb.SpanInput(text=t)], text_options=CUT),
    ),
    Row("every token, last layer", "EmbedTokens", lambda t: pb.EmbedTokensRequest(texts=[t], text_options=CUT)),
    Row(
        "every token, all layers, float16",
        "EmbedTokens",
        lambda t: pb.EmbedTokensRequest(texts=[t], layers=EVERY_LAYER, dtype=DATA_TYPE_FLOAT16, text_options=CUT),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--other", metavar="HOST:PORT")
    args = parser.parse_args()
    console = Console(width=120)
    texts, origin = mixed_texts(args.calls)
    rows = [row for row in ROWS if args.other or not row.other]
    console.print(f"{heading()}\ntexts:   {len(texts)} from {origin}\n")
    with server(args.artifact) as target:
        for in_flight in (1, IN_FLIGHT):
            costs = measure(rows, texts, in_flight, args.rounds, lambda row: args.other if row.other else target)
            show(costs, in_flight, console)


def measure(
    rows: Sequence[Row], texts: Sequence[str], in_flight: int, rounds: int, target: Callable[[Row], str]
) -> dict[str, list[float]]:
    """Milliseconds a call, per round: the median latency of one caller, else the time by throughput."""
    requests = {row.name: [row.request(text).SerializeToString() for text in texts] for row in rows}
    costs: dict[str, list[float]] = {row.name: [] for row in rows}
    for _ in range(rounds):
        for row in rows:
            load = closed_loop(target(row), row.method, requests[row.name], in_flight)
            ms = statistics.median(load.latencies_s) if in_flight == 1 else 1 / load.rate
            costs[row.name].append(ms * 1e3)
    return costs


def show(costs: dict[str, list[float]], in_flight: int, console: Console) -> None:
    """Milliseconds, and the ratio to Embed within the same round."""
    what = "one caller: ms a call, median" if in_flight == 1 else f"{in_flight} callers: ms of the server a call"
    table = Table()
    for title in (what, "median", "min..max", "this / Embed, median", "min..max"):
        table.add_column(title, justify="left" if title == what else "right", no_wrap=True)
    for name, values in costs.items():
        ratios = [value / embed for value, embed in zip(values, costs["Embed"], strict=True)]
        table.add_row(
            name,
            f"{statistics.median(values):.2f}",
            f"{min(values):.2f}..{max(values):.2f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f}..{max(ratios):.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
