"""ghz, k6 and `polyseme bench` on one server, in one run: their own summaries, and how far they agree.

Each round runs each generator once, in turn, with a closed loop of 16 callers and with a fixed rate; ratios are to ghz
in the same round. What is not installed is named and left out.

Usage: python -m bench.load.loadtest ARTIFACT [--target localhost:50051] [--seconds 10] [--rate 40]
       [--rounds 1] [--write]

--write runs everything in bench/load/ghz too, and a sweep, and writes bench/results/{ghz,k6,bench}.md and bench.svg,
and the figures in docs/load-testing.md; with 5 rounds of 20 seconds that takes about 20 minutes.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.server import server
from bench.load.loadtest_record import record
from bench.load.loadtools import CALLERS, Offer, Seen, Tool, tools
from rich import box
from rich.console import Console
from rich.table import Table

from polyseme.client import Client, HealthStatus, PolysemeError

Rounds = list[dict[tuple[str, str], Seen]]
LOOPS = ("closed", "rate")


def answers(target: str) -> bool:
    """Whether a ready server is there."""
    with Client(target) as client:
        try:
            return client.health("polyseme.v1.EmbeddingService", timeout=2) is HealthStatus.SERVING
        except PolysemeError:
            return False


@contextmanager
def serving(artifact: Path, target: str) -> Iterator[str]:
    """The server at the target, or one of our own."""
    if answers(target):
        yield target
        return
    print(f"nothing answers at {target}: starting a server for this run")
    with server(artifact, "--reflection") as own:
        yield own


def measure(found: list[Tool], args: argparse.Namespace, target: str) -> Rounds:
    """Every generator once a round with each loop; who is first changes from round to round."""
    rounds: Rounds = []
    with tempfile.TemporaryDirectory() as folder:
        found[-1].offer(_program(found[-1]), Offer(target=target, loop="closed", rate=0, seconds=2), Path(folder))
        for number in range(args.rounds):
            first = number % len(found)
            seen: dict[tuple[str, str], Seen] = {}
            for loop in LOOPS:
                offer = Offer(target=target, loop=loop, rate=args.rate, seconds=args.seconds)
                for tool in found[first:] + found[:first]:
                    seen[loop, tool.name] = tool.offer(_program(tool), offer, Path(folder))
                    if not number:
                        print(f"\n=== {tool.name}, {named(loop, args.rate)}\n\n{seen[loop, tool.name].text}")
            rounds.append(seen)
    return rounds


def compared(rounds: Rounds, names: list[str], rate: float) -> str:
    """The table of ratios; the first generator is 1."""
    with io.StringIO() as text:
        console = Console(file=text, width=150)
        table = Table(box=box.MARKDOWN)
        for title in ("", "generator", "OK/s", "p50 ms", "p99 ms", "rate ratio", "p50 ratio", "p99 ratio", "not OK"):
            table.add_column(title, justify="left" if title in ("", "generator") else "right", no_wrap=True)
        for loop in LOOPS:
            for name in names:
                table.add_row(named(loop, rate), name, *_cells(rounds, (loop, name), (loop, names[0])))
        console.print(table)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(line for line in lines if line)


def named(loop: str, rate: float) -> str:
    """A loop in a few words."""
    return f"closed loop, {CALLERS} callers" if loop == "closed" else f"fixed rate, {rate:g}/s"


def _cells(rounds: Rounds, of: tuple[str, str], to: tuple[str, str]) -> list[str]:
    figures = [[(seen.rate, seen.p50_ms, seen.p99_ms) for seen in (each[of], each[to])] for each in rounds]
    medians = [f"{statistics.median(values):.1f}" for values in zip(*(one for one, _ in figures), strict=True)]
    ratios = []
    for column in range(3):
        values = [one[column] / other[column] for one, other in figures]
        spread = f" ({min(values):.2f}..{max(values):.2f})" if len(values) > 1 else ""
        ratios.append(f"{statistics.median(values):.2f}{spread}")
    return [*medians, *ratios, str(sum(each[of].not_ok for each in rounds))]


def _program(tool: Tool) -> Path:
    assert tool.program is not None
    return tool.program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--target", default="localhost:50051")
    parser.add_argument("--seconds", type=int, default=10, help="of each run, and of each rate of the sweep")
    parser.add_argument("--rate", type=float, default=40, help="calls a second of the fixed rate")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write bench/results and docs/load-testing.md")
    args = parser.parse_args()

    known = tools()
    found = [tool for tool in known if tool.program is not None]
    print(heading())
    with serving(args.artifact, args.target) as target:
        rounds = measure(found, args, target)
        table = compared(rounds, [tool.name for tool in found], args.rate)
        print(f"\nRatios to {found[0].name} in the same round:\n\n{table}")
        if args.write:
            record(args.artifact, target, found, rounds[0], table, args.seconds)
    for tool in known:
        if tool.program is None:
            print(f"\n{tool.name} is not installed, and was left out: {tool.install}")


if __name__ == "__main__":
    main()
