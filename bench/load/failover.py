"""Two servers under load, one of which is killed, stopped or restarted, then the other, and so on: which calls fail?

The callers are the SDK with its defaults, each with its next call when the last has ended.

    kill      SIGKILL; started again at once
    restart   SIGTERM; started again when it has ended
    stop      SIGSTOP; SIGCONT after 40 s, which is longer than the default timeout

Usage: python -m bench.load.failover ARTIFACT kill [--calls 50000] [--callers 256] [--envoy .venv-envoy/bin/envoy]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.lib.envoy import envoy
from bench.lib.machine import heading
from bench.lib.server import free_port, start_server, wait_until_ready

from polyseme.client import AsyncClient, PolysemeError

FAULTS = ("kill", "restart", "stop")
STOPPED_S = 40
TEXT = "We sat on the bank of the river."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What servers go through, and callers with them.

    Attributes:
        artifact: what the servers serve.
        fault: one of FAULTS.
        calls: how many are made, at least.
        faults: how many there are, at least.
        callers: how many call at once.
        pause_s: how long both servers are ready before the next fault; up to half a second more.
        drain_delay_s: the servers'.
        envoy: the program, where the servers are behind it.
    """

    artifact: Path
    fault: str
    calls: int
    faults: int = 1
    callers: int = 256
    pause_s: float = 0.0
    drain_delay_s: float = 1.0
    envoy: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What the callers saw.

    Attributes:
        faults: how often a server suffered.
        latencies_s: of calls that were answered.
        failures: of those that were not, how many, by what was said.
    """

    faults: int = 0
    latencies_s: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """Answered or not."""
        return len(self.latencies_s) + self.failures.total()

    def __str__(self) -> str:
        latencies = sorted(self.latencies_s)
        p50, p99 = (latencies[len(latencies) * percent // 100] for percent in (50, 99))
        lines = [
            f"failed: {self.failures.total()} of {self.calls} calls, over {self.faults} faults",
            f"seconds of a call: p50 {p50:.3f}, p99 {p99:.3f}, the longest {latencies[-1]:.3f}",
        ]
        return "\n".join(lines + [f"  {count} x {said}" for said, count in self.failures.most_common(8)])


class Server:
    """`polyseme serve` at an address that stays its own, whatever happens to its process."""

    def __init__(self, trial: Trial) -> None:
        self._artifact = trial.artifact
        self._flags = ("--drain-delay-s", str(trial.drain_delay_s))
        self.address = f"127.0.0.1:{free_port()}"
        self.start()

    def start(self) -> None:
        """Start a process; it is not ready yet."""
        self._process: subprocess.Popen[bytes] = start_server(self._artifact, self.address, *self._flags)

    async def ready(self) -> None:
        """Wait until it may be called."""
        await asyncio.to_thread(wait_until_ready, self.address, self._process)

    async def suffer(self, fault: str) -> None:
        """Go through a fault, and be ready again."""
        if fault == "stop":
            self._process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
            self._process.send_signal(signal.SIGCONT)
        else:
            self._process.send_signal(signal.SIGKILL if fault == "kill" else signal.SIGTERM)
            await asyncio.to_thread(self._process.wait)
            self.start()
        await self.ready()

    def end(self) -> None:
        """End its process for good."""
        self._process.kill()
        self._process.wait()


async def run(trial: Trial) -> Outcome:
    """Callers and faults side by side, until there were enough of both."""
    with serving(trial) as servers:
        await asyncio.gather(*(server.ready() for server in servers))
        addresses = [server.address for server in servers]
        with envoy(trial.envoy, addresses) if trial.envoy else contextlib.nullcontext(targets(addresses)) as target:
            return await suffer(trial, servers, target)


@contextlib.contextmanager
def serving(trial: Trial) -> Iterator[list[Server]]:
    """Two servers, which are not ready yet."""
    servers = [Server(trial) for _ in range(2)]
    try:
        yield servers
    finally:
        for server in servers:
            server.end()


def targets(addresses: list[str]) -> str:
    """One target of several addresses, as a name with several records is."""
    return "ipv4:" + ",".join(addresses)


async def suffer(trial: Trial, servers: list[Server], target: str) -> Outcome:
    """Have servers suffer in turn, while callers call."""
    outcome = Outcome()

    async def call(client: AsyncClient) -> None:
        while outcome.calls < trial.calls or outcome.faults < trial.faults:
            began = time.perf_counter()
            try:
                await client.embed(TEXT)
            except PolysemeError as error:
                outcome.failures[f"{type(error).__name__}: {re.sub(r'[0-9]+', 'N', str(error))[:160]}"] += 1
            else:
                outcome.latencies_s.append(time.perf_counter() - began)

    async with AsyncClient(target) as client, asyncio.TaskGroup() as callers:
        for _ in range(trial.callers):
            callers.create_task(call(client))
        while outcome.calls < trial.calls or outcome.faults < trial.faults:
            await asyncio.sleep(trial.pause_s + random.uniform(0, 0.5))
            await servers[outcome.faults % 2].suffer(trial.fault)
            outcome.faults += 1
    return outcome


def main() -> None:
    """Print what the callers saw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("fault", choices=FAULTS)
    parser.add_argument("--calls", type=int, default=50_000, help="how many, at least")
    parser.add_argument("--callers", type=int, default=256, help="how many call at once")
    parser.add_argument("--pause-s", type=float, default=0, help="how long both are ready before the next fault")
    parser.add_argument("--drain-delay-s", type=float, default=1, help="the servers'")
    parser.add_argument("--envoy", type=Path, help="the program; the servers are then behind it")
    trial = Trial(**vars(parser.parse_args()))
    print(heading())
    print(asyncio.run(run(trial)))


if __name__ == "__main__":
    main()
