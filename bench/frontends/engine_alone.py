"""CPU of the engine's side alone, a call: messages decoded, texts scheduled, rows encoded, in groups, without a socket.

With a task for each call, as `engine.py` has it, and with a future alone, in alternated rounds.

Usage: python -m bench.frontends.engine_alone [--calls 8000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from functools import partial
from typing import Any, cast

import numpy as np
from bench.frontends.engine import FrontEnd, Observer
from bench.frontends.messages import Inbox, decode_rows, encode_call, encode_rows
from bench.frontends.stub import StubEngine, entries
from bench.lib.machine import heading

from polyseme.runtime.tasks import PooledVector
from polyseme.server.engine.client import Submission, TextTask
from polyseme.server.scheduling import Completed, Origin

SHORT = Submission(
    texts=[TextTask(list(range(1, 14)), PooledVector(normalized=True, half=False))],
    caller="token 0123456789abcdef",
    origin=Origin("0123456789abcdef"),
)


class WithoutTasks(FrontEnd):
    """Calls wait in the scheduler, and in no task."""

    def _submit(self, number: int, submission: Submission) -> None:
        ticket = self._engine.scheduler._enqueue(entries(submission), refuse_late=False)  # noqa: SLF001
        self._calls[number] = cast("Any", ticket.done)
        ticket.done.add_done_callback(partial(self._done, number))


class Callers:
    """A transport whose far side sends the next call for each that is answered."""

    def __init__(self, calls: int) -> None:
        self.answered = self.writes = 0
        self.ended = asyncio.Event()
        self.front_end: FrontEnd
        self._calls = calls
        self._inbox = Inbox()

    def write(self, data: bytes) -> None:
        """Take rows, and send as many calls a turn later."""
        numbers = [decode_rows(message)[0] for message in self._inbox.feed(data)]
        self.writes += 1
        self.answered += len(numbers)
        if self.answered >= self._calls:
            self.ended.set()
            return
        again = b"".join(encode_call(number, SHORT) for number in numbers)
        asyncio.get_running_loop().call_soon(self.front_end.data_received, again)


async def measure(kind: type[FrontEnd], calls: int, in_flight: int) -> tuple[float, float]:
    """Microseconds a call, those of the far side too, and calls in a group."""
    engine = StubEngine(384)
    engine.start(Observer())
    front_end, callers = kind(engine), Callers(calls)
    callers.front_end = front_end
    front_end.connection_made(cast("Any", callers))
    began = time.process_time()
    front_end.data_received(b"".join(encode_call(number, SHORT) for number in range(in_flight)))
    await callers.ended.wait()
    spent = time.process_time() - began
    await engine.close()
    return spent / callers.answered * 1e6, callers.answered / callers.writes


def far_side_us(calls: int = 4000) -> float:
    """Microseconds that `Callers` takes for a call, which are taken off."""
    row = np.zeros(384, np.float32)
    rows = encode_rows(1, Completed(rows=[row], queued=0.0, started=0.0, ended=0.0), 0)
    began = time.process_time()
    for _ in range(calls):
        encode_call(1, SHORT)
        decode_rows(next(Inbox().feed(rows)))
    return (time.process_time() - began) / calls * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(
        heading(), "", "| in flight | calls a group | with a task, us a call | without |", "|---|---|---|---|", sep="\n"
    )
    off = min(far_side_us() for _ in range(5))
    for in_flight in (16, 64, 256):
        seen: dict[type[FrontEnd], list[tuple[float, float]]] = {FrontEnd: [], WithoutTasks: []}
        for _ in range(arguments.rounds):
            for kind, of in seen.items():
                of.append(asyncio.run(measure(kind, arguments.calls, in_flight)))
        groups = statistics.median(group for of in seen.values() for _, group in of)
        cells = [[spent - off for spent, _ in of] for of in seen.values()]
        shown = (f"{statistics.median(each):.0f} ({min(each):.0f}..{max(each):.0f})" for each in cells)
        print(f"| {in_flight} | {groups:.0f} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
