"""A server for half an hour under calls, cancels, garbage and connections that come and go: does anything grow?

Memory is what is the process's own; its slope is the median of those of all pairs of samples (Theil and Sen), which a
few outliers do not move. What is resident grows into what the process has asked for, as onnxruntime's arena is touched
where it was not before: so that is looked at too. The first minutes do not count; four times as many callers come in
them, so that later none of that memory is touched for the first time because calls happen to meet.

Usage: python -m bench.reliability.soak ARTIFACT [--minutes 30] [--warm-up-minutes 8] [--pace-s 0.05]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final

import grpc
import numpy as np
from bench.lib.machine import heading
from bench.lib.server import server_process, status_mib
from bench.lib.texts import mixed_texts
from bench.reliability.calls import Caller, Kind, cancelled, garbage, late, left_stream, plain, words
from bench.reliability.outcome import Outcome

MINUTES = 30.0
WARM_UP_MINUTES = 8.0
KEPT = Path(".cache/reliability/soak")
PICTURE = "soak.svg"
CALLERS = 6
WARM_UP_CALLERS = 4 * CALLERS
PACE_S = 0.05  # between two calls of a caller, on average
CALLS_OF_A_CONNECTION = 200
BETWEEN_SAMPLES_S = 5.0
MOST_MIB_PER_HOUR = 1.0
WEIGHTS: Final[dict[Kind, int]] = {
    plain: 8,
    words: 2,
    cancelled: 2,
    late: 1,
    garbage: 1,
    left_stream: 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A look at the server.

    Attributes:
        at_s: since the server was ready.
        own_mib: memory that is its own.
        asked_mib: what it has asked the system for of such memory, touched or not (VmData).
        calls: that were made since the warm-up.
        fds: files and sockets that it has open.
        threads: of its process.
    """

    at_s: float
    own_mib: float
    asked_mib: float
    calls: int
    fds: int
    threads: int


def sample(pid: int, began: float, calls: int) -> Sample:
    """Look at a process."""
    process = Path(f"/proc/{pid}")
    fds, threads = (sum(1 for _ in (process / part).iterdir()) for part in ("fd", "task"))
    return Sample(
        at_s=time.monotonic() - began,
        own_mib=status_mib(pid, "RssAnon"),
        asked_mib=status_mib(pid, "VmData"),
        calls=calls,
        fds=fds,
        threads=threads,
    )


def soak(
    artifact: Path, minutes: float = MINUTES, warm_up_minutes: float = WARM_UP_MINUTES, pace_s: float = PACE_S
) -> list[Sample]:
    """Run a server under such calls; gives samples of the time after the warm-up, in which calls come at full pace."""
    with server_process(artifact) as (target, pid):
        began = time.monotonic()
        with calling(target, WARM_UP_CALLERS, PACE_S):
            time.sleep(60 * warm_up_minutes)
        samples = []
        with calling(target, CALLERS, pace_s) as calls:
            while time.monotonic() - began < 60 * (warm_up_minutes + minutes):
                time.sleep(BETWEEN_SAMPLES_S)
                samples.append(sample(pid, began, calls.value))
    return samples


@contextmanager
def calling(target: str, callers: int, pace_s: float) -> Iterator[Synchronized[int]]:
    """Callers of all kinds, in a process of their own; gives the number of their calls."""
    context = multiprocessing.get_context("spawn")
    calls = context.Value("i", 0)
    process = context.Process(target=call_for_ever, args=(target, callers, pace_s, calls), daemon=True)
    process.start()
    try:
        yield calls
        if not process.is_alive():
            raise SystemExit("the callers ended")
    finally:
        process.terminate()
        process.join()


def call_for_ever(target: str, callers: int, pace_s: float, calls: Synchronized[int]) -> None:
    """Call as callers of all kinds do, until the process is ended."""
    asyncio.run(_all_callers(target, callers, pace_s, calls))


async def _all_callers(target: str, callers: int, pace_s: float, calls: Synchronized[int]) -> None:
    texts, _ = mixed_texts(400)
    await asyncio.gather(*(_caller(target, texts, random.Random(seed), pace_s, calls) for seed in range(callers)))


async def _caller(
    target: str, texts: Sequence[str], draw: random.Random, pace_s: float, calls: Synchronized[int]
) -> None:
    while True:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            for _ in range(draw.randint(1, 2 * CALLS_OF_A_CONNECTION)):
                with contextlib.suppress(grpc.RpcError, asyncio.CancelledError, TimeoutError):
                    await _one_call(channel, draw.sample(texts, draw.randint(1, 4)), draw)
                calls.value += 1
                await asyncio.sleep(draw.expovariate(1 / pace_s))


async def _one_call(channel: grpc.aio.Channel, texts: list[str], draw: random.Random) -> None:
    """Six in ten are plain; the others are words, cancelled, too late, garbage, or streams that are left."""
    kind = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    await kind(Caller(channel, texts, draw))


def judge(samples: Sequence[Sample]) -> list[Outcome]:
    """Slope of memory, and whether files and threads are as many at the end as at the start."""
    slope, of_second_half = (
        slope_per_hour([one.at_s for one in part], [one.own_mib for one in part])
        for part in (samples, samples[len(samples) // 2 :])
    )
    minutes = (samples[-1].at_s - samples[0].at_s) / 60
    asked = slope_per_hour([one.at_s for one in samples], [one.asked_mib for one in samples])
    third = len(samples) // 3
    outcomes = [
        Outcome(
            what=f"soak of {minutes:.0f} minutes, {samples[-1].calls:,} calls: memory of the process "
            f"({samples[0].own_mib:.0f} MiB at first)",
            tries=len(samples),
            failed=0,
            figure=f"{slope:+.2f} MiB/h; of the second half {of_second_half:+.2f}",
            bound=f"< {MOST_MIB_PER_HOUR:g} MiB/h",
            within=slope < MOST_MIB_PER_HOUR,
        ),
        Outcome(
            what=f"soak: what it has asked the system for, touched or not ({samples[0].asked_mib:.0f} MiB at first)",
            tries=len(samples),
            failed=0,
            figure=f"{asked:+.2f} MiB/h",
            bound=f"< {MOST_MIB_PER_HOUR:g} MiB/h",
            within=asked < MOST_MIB_PER_HOUR,
        ),
    ]
    for name in ("fds", "threads"):
        counts = [getattr(one, name) for one in samples]
        first, last = max(counts[:third]), max(counts[-third:])
        most = first + (CALLERS if name == "fds" else 0)  # connections come and go
        outcomes.append(
            Outcome(
                what=f"soak: {name}, the most of its last third against its first",
                tries=len(samples),
                failed=0,
                figure=f"{last} against {first}",
                bound=f"{most}",
                within=last <= most,
            )
        )
    return outcomes


def slope_per_hour(seconds: Sequence[float], values: Sequence[float]) -> float:
    """The median slope of all pairs of points."""
    at, of = np.asarray(seconds), np.asarray(values)
    later, earlier = np.tril_indices(len(at), -1)
    return float(np.median((of[later] - of[earlier]) / (at[later] - at[earlier]))) * 3600


def keep(samples: Sequence[Sample], folder: Path) -> None:
    """Write samples and their picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "samples.json").write_text(json.dumps([asdict(one) for one in samples]), encoding="ascii")
    plot(samples, folder / PICTURE)


def plot(samples: Sequence[Sample], path: Path) -> None:
    """Draw memory, files and threads over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8), layout="constrained")
    axes = figure.subplots(4, sharex=True)
    minutes = [one.at_s / 60 for one in samples]
    for axis, name, label in zip(
        axes,
        ("own_mib", "asked_mib", "fds", "threads"),
        ("own memory, MiB", "asked for, MiB", "open files", "threads"),
        strict=True,
    ):
        axis.plot(minutes, [getattr(one, name) for one in samples])
        axis.set_ylabel(label)
    axes[-1].set_xlabel("minutes since the server was ready")
    figure.savefig(path)


def main() -> None:
    """Print the outcomes; keep samples and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--warm-up-minutes", type=float, default=WARM_UP_MINUTES)
    parser.add_argument("--pace-s", type=float, default=PACE_S, help="between two calls of a caller, after the warm-up")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder for samples, picture")
    arguments = parser.parse_args()
    samples = soak(arguments.artifact, arguments.minutes, arguments.warm_up_minutes, arguments.pace_s)
    keep(samples, arguments.kept)
    print(heading())
    for outcome in judge(samples):
        print(outcome.what, "|", outcome.figure, "|", outcome.bound, "|", outcome.verdict(0))


if __name__ == "__main__":
    main()
