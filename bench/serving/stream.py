"""Streams: short texts in bulk against unary calls, then large replies; throughput, and memory of both sides.

Usage: python -m bench.serving.stream ARTIFACT [--texts 200000] [--replies 1000] [--rounds 3]

The artifact for --replies is best exported with --max-length 512. Ratios are within a round.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.server import resident_mib, server_process
from bench.lib.texts import public_domain_words
from rich.console import Console
from rich.table import Table

from polyseme.client import Client, Model
from polyseme.client.options import Layers

ROUND_TEXTS = 4_096
UNARY_TEXTS = 32


@dataclass
class Memory:
    """Own memory of server and client over a run, in MiB."""

    pid: int
    server: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Sample both."""
        self.server.append(resident_mib(self.pid))
        self.client.append(resident_mib())

    def __str__(self) -> str:
        return f"server {_course(self.server)}; client {_course(self.client)}"


def short_texts(count: int) -> Iterator[str]:
    """Texts of 3 to 8 words, one after the other, no two lists the same."""
    words, draw = public_domain_words(), random.Random(20261123)
    for _ in range(count):
        start, length = draw.randrange(len(words) - 8), draw.randint(3, 8)
        yield " ".join(words[start : start + length])


def stream(client: Client, count: int) -> float:
    """Texts a second by embed_stream."""
    started = time.perf_counter()
    got = sum(1 for _ in client.embed_stream(short_texts(count)))
    if got != count:
        raise SystemExit(f"{got} vectors for {count} texts")
    return count / (time.perf_counter() - started)


def unary(client: Client, count: int, in_flight: int) -> float:
    """Texts a second by calls of 32 texts, so many at once."""
    texts = short_texts(count)
    lists = [list(itertools.islice(texts, UNARY_TEXTS)) for _ in range(count // UNARY_TEXTS)]
    started = time.perf_counter()
    with ThreadPoolExecutor(in_flight) as pool:
        for _ in pool.map(client.embed, lists):
            pass
    return count / (time.perf_counter() - started)


def compare(client: Client, rounds: int, console: Console) -> None:
    """Each way in turn, in each round."""
    ways: dict[str, Callable[[], float]] = {
        "embed_stream": lambda: stream(client, ROUND_TEXTS),
        "32-text calls, one at a time": lambda: unary(client, ROUND_TEXTS, 1),
        "32-text calls, 4 in flight": lambda: unary(client, ROUND_TEXTS, 4),
        "32-text calls, 16 in flight": lambda: unary(client, ROUND_TEXTS, 16),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            rate = run()
            if number:  # the first round warms up
                rates[name].append(rate)
    table = Table()
    for title in ("short texts", "texts/s median", "min..max", "stream / this, median", "min..max"):
        table.add_column(title, justify="left" if title == "short texts" else "right", no_wrap=True)
    for name, values in rates.items():
        ratios = [s / v for s, v in zip(rates["embed_stream"], values, strict=True)]
        table.add_row(
            name,
            f"{statistics.median(values):.0f}",
            f"{min(values):.0f}..{max(values):.0f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f}..{max(ratios):.2f}",
        )
    console.print(table)


def bulk(client: Client, count: int, memory: Memory) -> float:
    """Texts a second of one long stream, memory looked at 40 times."""
    started = time.perf_counter()
    for number, _ in enumerate(client.embed_stream(short_texts(count))):
        if number % max(1, count // 40) == 0:
            memory.look()
    return count / (time.perf_counter() - started)


def large_replies(client: Client, model: Model, calls: int, memory: Memory) -> float:
    """Replies a second: one text as long as the model takes, all layers, float16; memory looked at 40 times."""
    words = public_domain_words()
    layers: Layers = ("static", *range(model.num_hidden_layers + 1))
    started = time.perf_counter()
    for number in range(calls):
        start = number % (len(words) - model.max_tokens)
        text = " ".join(words[start : start + model.max_tokens])
        reply = client.embed_tokens(text, layers=layers, dtype="float16", truncate="end")
        if reply.vectors.shape != (model.num_hidden_layers + 2, model.max_tokens - 2, model.hidden_size):
            raise SystemExit(f"reply {number} has vectors of shape {reply.vectors.shape}")
        if number % max(1, calls // 40) == 0:
            memory.look()
    return calls / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--replies", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    console = Console(width=120, highlight=False)
    console.print(heading())
    with server_process(args.artifact) as (target, pid), Client(target, timeout=120) as client:
        model = client.model()
        console.print(f"model:   {model.name}, at most {model.max_tokens} tokens a text\n")
        compare(client, args.rounds, console)
        if args.texts:
            memory = Memory(pid)
            rate = bulk(client, args.texts, memory)
            console.print(f"one stream of {args.texts} short texts: {rate:.0f} texts/s\n  own memory, MiB: {memory}")
        if args.replies:
            memory = Memory(pid)
            rate = large_replies(client, model, args.replies, memory)
            megabytes = (model.num_hidden_layers + 2) * (model.max_tokens - 2) * model.hidden_size * 2 / 1e6
            console.print(
                f"{args.replies} replies of {megabytes:.1f} MB ({model.max_tokens} tokens, all layers, float16): "
                f"{rate:.1f}/s\n  own memory, MiB: {memory}"
            )


def _course(samples: list[float]) -> str:
    """First, then the median of each quarter, and the most."""
    quarter = max(1, len(samples) // 4)
    medians = [statistics.median(samples[i : i + quarter]) for i in range(0, quarter * 4, quarter) if samples[i:]]
    return f"{samples[0]:.0f}, quarters {' '.join(f'{m:.0f}' for m in medians)}, most {max(samples):.0f}"


if __name__ == "__main__":
    main()
