"""Policies of who runs next, compared in virtual time: throughput, p50, p99 and padding, over load and beside others.

The server's own code runs; a batch takes 3 ms and 0.3 ms for each padded token, near MiniLM on a core, on two runners.
What threads cost each other on the same cores is left out: bench/results/fairness.md has a real server.

Usage: python -m bench.simulation.policies [--seconds 40] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.lib.machine import heading
from bench.simulation.scenario import MODELS, Arrival, Scenario
from bench.simulation.virtual_time import VirtualLoop
from bench.simulation.world import World

from polyseme.server.errors import ServerError
from polyseme.server.scheduling import BatchPolicy, Priority

RESULTS = Path(__file__).parents[1] / "results"
# As a server on a CPU has it.
DEFAULT = BatchPolicy(max_batch_tokens=160, max_batch_texts=16, min_fill=0.9, max_queue_tokens=1 << 16)
THINK_S = 0.02
WARM_UP_S = 2.0
RATES = (20, 50, 70, 85, 100)
MOST_CALLS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix(Scenario):
    """Who calls, for how long.

    Attributes:
        seconds: of virtual time that are measured.
        rate: calls a second of many callers; 0: none.
        callers: how many these are.
        texts: of each of their calls.
        deadline_s: how long they wait.
        alone: whether one caller sends one text at a time, and thinks between two.
        heavy: calls in flight of a caller that sends much.
        heavy_texts: texts of each of them.
        heavy_priority: theirs.
        heavy_caller: who that is.
    """

    seconds: float
    rate: float = 0.0
    callers: int = 64
    texts: int = 1
    deadline_s: float = math.inf
    alone: bool = True
    heavy: int = 0
    heavy_texts: int = 1
    heavy_priority: Priority = Priority.INTERACTIVE
    heavy_caller: str = "heavy"


class Measured(World):
    """A world whose calls are measured."""

    def __init__(self, mix: Mix, loop: VirtualLoop) -> None:
        super().__init__(mix, loop)
        self.mix = mix
        self.latencies_s: list[float] = []
        self.answered = self.tokens = self.cells = 0
        self.heavy_answered = 0
        self._numbers = itertools.count()
        self._lengths: dict[int, int] = {}
        self._draw = random.Random(11)

    async def serve(self) -> None:
        """Serve the mix for its time."""
        mix = self.mix
        loads = [self._heavy() for _ in range(mix.heavy)]
        if mix.rate:
            loads.append(self._many())
        if mix.alone:
            loads.append(self._light())
        tasks = [asyncio.ensure_future(load) for load in loads]
        await asyncio.sleep(WARM_UP_S + mix.seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def note(self, kind: str, texts: Sequence[int], *_: object) -> None:
        """Count tokens and padding."""
        if kind == "begun" and self.loop.time() > WARM_UP_S:
            lengths = [self._lengths[text] for text in texts]
            self.tokens += sum(lengths)
            self.cells += len(lengths) * max(lengths)

    async def _one(
        self, caller: str, texts: int = 1, priority: Priority = Priority.INTERACTIVE, deadline_s: float = math.inf
    ) -> float:
        """Call once; gives how long it took, or nan where it was refused or came too late."""
        lengths = tuple(min(256, 3 + int(self._draw.lognormvariate(3.5, 0.8))) for _ in range(texts))
        numbers = [next(self._numbers) for _ in range(texts)]
        self._lengths.update(zip(numbers, lengths, strict=True))
        at = self.loop.time()
        call = Arrival(
            at=at,
            caller=caller,
            model=MODELS[0],
            priority=priority,
            lengths=lengths,
            first_text=numbers[0],
            deadline_s=deadline_s,
        )
        try:
            await self.call(call)
        except ServerError:
            await asyncio.sleep(0.05)
            return math.nan
        took_s = self.loop.time() - at
        return took_s if took_s <= deadline_s else math.nan

    def _keep(self, took_s: float) -> None:
        if self.loop.time() > WARM_UP_S and took_s == took_s:
            self.latencies_s.append(took_s)
            self.answered += 1

    async def _light(self) -> None:
        while True:
            self._keep(await self._one("light"))
            await asyncio.sleep(self._draw.expovariate(1 / THINK_S))

    async def _heavy(self) -> None:
        mix = self.mix
        while True:
            took_s = await self._one(mix.heavy_caller, mix.heavy_texts, mix.heavy_priority)
            if self.loop.time() > WARM_UP_S and took_s == took_s:
                self.heavy_answered += mix.heavy_texts

    async def _many(self) -> None:
        async def one(caller: str) -> None:
            self._keep(await self._one(caller, mix.texts, deadline_s=mix.deadline_s))

        mix = self.mix
        async with asyncio.TaskGroup() as tasks:
            for number in itertools.count():
                tasks.create_task(one(f"caller {number % mix.callers}"))
                await asyncio.sleep(self._draw.expovariate(mix.rate))


@dataclass(frozen=True, slots=True)
class Figures:
    """What one policy gave."""

    answered: float
    p50_ms: float
    p99_ms: float
    padding: float
    heavy: float


def figures(policy: BatchPolicy, seconds: float, **mix: Any) -> Figures:
    """Run one mix under one policy."""
    values: dict[str, Any] = {"seed": 1, "arrivals": (), "reloads": (), "runners": 2, "max_calls": MOST_CALLS}
    scenario = Mix(policy=policy, seconds=seconds, **values, **mix)
    world = Measured(scenario, VirtualLoop(scenario.seed))
    world.run()
    taken = sorted(world.latencies_s) or [math.nan]
    return Figures(
        answered=world.answered / seconds,
        p50_ms=taken[len(taken) // 2] * 1e3,
        p99_ms=taken[int(len(taken) * 0.99)] * 1e3,
        padding=world.cells / max(1, world.tokens),
        heavy=world.heavy_answered / seconds,
    )


POLICIES = {
    "as it is": DEFAULT,
    "1 text a batch": replace(DEFAULT, max_batch_texts=1),
    "4 texts of any length": replace(DEFAULT, max_batch_texts=4, max_batch_tokens=1024),
    "256 tokens a batch": replace(DEFAULT, max_batch_tokens=256),
    "fill 0.75": replace(DEFAULT, min_fill=0.75),
    "fill 0.5": replace(DEFAULT, min_fill=0.5),
    "wait 5 ms": replace(DEFAULT, max_wait_s=0.005),
}
BULK: dict[str, Any] = {"heavy": 4, "heavy_texts": 32, "heavy_priority": Priority.BULK}
FLOOD: dict[str, Any] = {"heavy": 256}
BESIDE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "bulk": BULK,
    "flood": FLOOD,
    "flood of the same caller": {**FLOOD, "heavy_caller": "light"},
}
SHORT = (0.0, 0.5, 2.0)
OVERLOAD = 5  # times what the server can do
TEXTS_OF_A_CALL = 8
DEADLINES_S = (0.5, 2.0, 30.0)


def over_load(seconds: float) -> dict[str, list[Figures]]:
    """Each policy at each rate."""
    return {
        name: [figures(policy, seconds, rate=rate, alone=False) for rate in RATES] for name, policy in POLICIES.items()
    }


def beside(seconds: float) -> Iterator[str]:
    """Rows of one caller of single texts beside others."""
    idle = figures(DEFAULT, seconds)
    columns = (
        "beside",
        "batches stay short for",
        "p50 ms",
        "x idle",
        "p99 ms",
        "x idle",
        "others, texts/s",
        "of theirs alone",
    )
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"
    for name, mix in BESIDE.items():
        lone = figures(DEFAULT, seconds, alone=False, **mix).heavy if mix else 0.0
        for short_for_s in SHORT if mix else SHORT[-1:]:
            one = figures(replace(DEFAULT, short_for_s=short_for_s), seconds, **mix)
            others = f"{one.heavy:.1f} | {one.heavy / lone:.2f}" if mix else " | "
            yield (
                f"| {name} | {short_for_s:g} s | {one.p50_ms:.1f} | {one.p50_ms / idle.p50_ms:.1f} "
                f"| {one.p99_ms:.1f} | {one.p99_ms / idle.p99_ms:.1f} | {others} |"
            )


def peak(policy: BatchPolicy, seconds: float) -> float:
    """Calls a second that a server answers of callers who send the next when the last is answered."""
    return figures(policy, seconds, alone=False, heavy=16, heavy_texts=TEXTS_OF_A_CALL).heavy / TEXTS_OF_A_CALL


def goodput(policy: BatchPolicy, seconds: float, deadline_s: float, callers: int) -> float:
    """Calls a second that are answered in time at so many times the peak, as a share of the peak."""
    most = peak(policy, seconds)
    mix = {"rate": OVERLOAD * most, "texts": TEXTS_OF_A_CALL, "deadline_s": deadline_s, "callers": callers}
    return figures(policy, seconds, alone=False, **mix).answered / most


def overload(seconds: float) -> Iterator[str]:
    """Rows of goodput under overload, with and without looking at deadlines."""
    yield "| deadline | callers | refused where it would take more of the time left | goodput / peak |"
    yield "|---|---|---|---|"
    for deadline_s, callers, share in itertools.product(DEADLINES_S, (1, 64), (math.inf, 1.0, DEFAULT.deadline_share)):
        got = goodput(replace(DEFAULT, deadline_share=share), seconds, deadline_s, callers)
        yield f"| {deadline_s:g} s | {callers} | {'never' if share == math.inf else f'{share:g}'} | {got:.2f} |"


def table(results: dict[str, list[Figures]]) -> Iterator[str]:
    """Rows of policies over load."""
    yield "| policy | offered, texts/s | answered | p50 ms | p99 ms | padding |"
    yield "|---|---|---|---|---|---|"
    for name, row in results.items():
        for rate, one in zip(RATES, row, strict=True):
            yield f"| {name} | {rate} | {one.answered:.1f} | {one.p50_ms:.1f} | {one.p99_ms:.1f} | {one.padding:.2f} |"


def plot(results: dict[str, list[Figures]], path: Path) -> None:
    """p50 and p99 over the texts that were answered."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("p50_ms", "p99_ms"), strict=True):
        for policy, row in results.items():
            axes.plot([one.answered for one in row], [getattr(one, name) for one in row], marker="o", label=policy)
        axes.set(xlabel="answered, texts/s", ylabel=name.replace("_", ", "), yscale="log")
        axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def main() -> None:
    """Print tables; --write keeps them, and a plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="of virtual time, of each simulation")
    parser.add_argument("--write", action="store_true", help="keep the tables and a plot in bench/results")
    arguments = parser.parse_args()
    rows = list(beside(arguments.seconds))
    results = over_load(arguments.seconds)
    about = " ".join((__doc__ or "").split("\n\n")[1].split())
    report = "\n".join(
        (
            "# Who runs next, simulated",
            "",
            "```",
            heading(),
            "```",
            "",
            about,
            "",
            "## One caller of single texts beside others",
            "",
            *rows,
            "",
            f"## Goodput of calls of {TEXTS_OF_A_CALL} texts at {OVERLOAD} times what the server can do",
            "",
            *overload(arguments.seconds),
            "",
            "## Many callers of single texts, over load",
            "",
            "![p50 and p99 over load](simulation.svg)",
            "",
            *table(results),
        )
    )
    print(report)
    if arguments.write:
        (RESULTS / "simulation.md").write_text(report + "\n", encoding="utf-8")
        plot(results, RESULTS / "simulation.svg")


if __name__ == "__main__":
    main()
