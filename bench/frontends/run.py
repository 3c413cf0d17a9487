"""What a front end in a process of its own costs, and what it gains: CPU of each process, a call.

All servers tokenize and answer as the house does; the engine takes the time of a GPU and no CPU (stub.py). Each round
starts every arrangement in turn and puts it under each load, from a Go program on the same cores. What a round saw is
kept in .cache/frontends: a run that was ended goes on where it was.

It needs pygrpc-native (pip install pygrpc-native==0.5.0).

Usage: python -m bench.frontends.run ARTIFACT [--rounds 3] [--seconds 3] [--only NAME ...] [--table]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.lib.machine import heading, versions
from bench.lib.rounds import Rounds, Row
from bench.lib.sender import send
from bench.lib.server import cpu_seconds, free_port
from bench.lib.texts import mixed_texts

from polyseme.artifact import Artifact
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / ".cache" / "frontends" / "rounds.jsonl"
PATH: Final = "/polyseme.v1.EmbeddingService/Embed"
CONNECTIONS: Final = 16
SHORT_WORDS: Final = 9


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Processes that serve together.

    Attributes:
        wire: grpc or native.
        fronts: how many front ends.
        engine: `echo`, without any; `here`, in the front end; `apart`, in a process of its own.
    """

    wire: str
    fronts: int
    engine: str

    @property
    def name(self) -> str:
        """In words."""
        wire = {"grpc": "grpc.aio", "native": "pygrpc-native"}[self.wire]
        if self.engine == "echo":
            return f"{wire}, an echo"
        ends = "1 front end" if self.fronts == 1 else f"{self.fronts} front ends"
        return f"{wire}, " + ("one process" if self.engine == "here" else f"{ends} and an engine")


ARRANGEMENTS: Final = (
    Arrangement("grpc", 1, "echo"),
    Arrangement("native", 1, "echo"),
    Arrangement("grpc", 1, "here"),
    Arrangement("native", 1, "here"),
    Arrangement("grpc", 1, "apart"),
    Arrangement("grpc", 2, "apart"),
    Arrangement("native", 1, "apart"),
    Arrangement("native", 2, "apart"),
)


@dataclass(frozen=True, slots=True)
class Load:
    """Calls of so many texts, so many in flight."""

    name: str
    texts: int
    in_flight: int
    short: bool

    def requests(self) -> list[bytes]:
        """The calls."""
        texts, _ = mixed_texts(512)
        if self.short:
            texts = [" ".join(text.split()[:SHORT_WORDS]) for text in texts]
        cut = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
        calls = [texts[first : first + self.texts] for first in range(0, len(texts), self.texts)]
        return [pb.EmbedRequest(texts=call, text_options=cut).SerializeToString() for call in calls]


LOADS: Final = (
    Load("a short text, 64 in flight", 1, 64, short=True),
    Load("32 mixed texts, 8 in flight", 32, 8, short=False),
)


@contextmanager
def process(*arguments: str) -> Iterator[int]:
    """A process of this bench that has said that it is ready; gives its id."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        try:
            assert started.stdout is not None
            if started.stdout.readline().strip() != "ready":
                raise SystemExit(f"{arguments[0]} did not begin")
            yield started.pid
        finally:
            started.kill()


@contextmanager
def serving(arrangement: Arrangement, artifact: Path, load: Load) -> Iterator[tuple[str, list[int], list[int]]]:
    """An arrangement that is ready: its target, its front ends and its engine."""
    port = str(free_port())
    dimensions = Artifact.open(artifact).manifest.model.embedding.dimensions
    with ExitStack() as stack:
        if arrangement.engine == "echo":
            size = str(load.texts * dimensions * 4)
            front = stack.enter_context(process("bench.frontends.echo", port, arrangement.wire, size))
            yield f"127.0.0.1:{port}", [front], []
            return
        engine, engines = "here", []
        if arrangement.engine == "apart":
            engine = f"{stack.enter_context(tempfile.TemporaryDirectory())}/engine.sock"
            engines = [stack.enter_context(process("bench.frontends.engine", engine, str(dimensions)))]
        arguments = ("bench.frontends.front", str(artifact), port, arrangement.wire, engine)
        fronts = [stack.enter_context(process(*arguments)) for _ in range(arrangement.fronts)]
        yield f"127.0.0.1:{port}", fronts, engines


def measure(arrangement: Arrangement, artifact: Path, seconds: float) -> Row:
    """One round of one arrangement: under each load, microseconds of CPU a call, and calls a second."""
    seen: Row = {}
    for load in LOADS:
        with serving(arrangement, artifact, load) as (target, fronts, engines):
            requests = load.requests()
            send(target, PATH, requests, in_flight=load.in_flight, seconds=0.5, warm_up=0.5)
            before = [cpu_seconds(pid) for pid in (*fronts, *engines)]
            sent = send(
                target,
                PATH,
                requests,
                in_flight=load.in_flight,
                seconds=seconds,
                warm_up=0,
                connections=CONNECTIONS,
            )
            spent = [cpu_seconds(pid) - begun for pid, begun in zip((*fronts, *engines), before, strict=True)]
        if sent.failed:
            raise SystemExit(f"{arrangement.name}: {sent.failed} calls failed, the first with {sent.error}")
        each = 1e6 / sent.answered
        seen[load.name] = {
            "calls_per_s": sent.rate,
            "p50_ms": sent.percentile_ms(0.5),
            "front_us": sum(spent[: len(fronts)]) * each,
            "engine_us": sum(spent[len(fronts) :]) * each,
            "sender_us": sent.cpu_s * each,
        }
    return seen


def table(rounds: dict[str, list[Row]]) -> Iterator[str]:
    """Medians of the rounds, with the least and the greatest where there are several."""
    figures = ("front_us", "engine_us", "sender_us", "calls_per_s", "p50_ms")
    titles = ("front ends, us a call", "engine, us a call", "sender, us a call", "calls/s", "p50 ms")
    for load in LOADS:
        yield f"| {load.name} | rounds | {' | '.join(titles)} |"
        yield "|---" * (len(titles) + 2) + "|"
        for arrangement in ARRANGEMENTS:
            of = rounds.get(arrangement.name, [])
            if of:
                cells = (_cell([row[load.name][figure] for row in of]) for figure in figures)
                yield f"| {arrangement.name} | {len(of)} | {' | '.join(cells)} |"
        yield ""


def _cell(values: Sequence[float]) -> str:
    if not any(values):
        return ""
    digits = 1 if max(values) < 100 else 0
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def main() -> None:
    """Measure what has not been measured yet, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="arrangements whose names begin so")
    parser.add_argument("--table", action="store_true", help="print the table")
    arguments = parser.parse_args()
    rounds = Rounds(KEPT)
    wanted = [each for each in ARRANGEMENTS if not arguments.only or each.name.startswith(tuple(arguments.only))]
    for number in range(1, arguments.rounds + 1):
        for arrangement in wanted if number % 2 else wanted[::-1]:
            if not rounds.has(arrangement.name, number):
                seen = measure(arrangement, arguments.artifact, arguments.seconds)
                rounds.add(arrangement.name, number, seen)
                print(arrangement.name, number, flush=True)
    if arguments.table:
        print(heading(), f"         {versions('pygrpc-native', 'protobuf')}", "", sep="\n")
        print(*table(rounds.by_name()), sep="\n")


if __name__ == "__main__":
    main()
