"""Memory under attack: replies that are never taken, and requests whose last byte never comes.

Each attack is run against a server of its own, from one process; a caller of good will embeds one text after another
meanwhile. `most MiB` is what the server held at most, mapped weights not counted; the bound is --max-memory.

Usage: python -m bench.load.memory ARTIFACT [--max-memory 2GiB] [--replies 428] [--requests 1200]
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
from bench.lib.machine import heading
from bench.lib.raw_http2 import RawCaller, framed
from bench.lib.server import resident_mib, server_process

from polyseme.client import Client, PolysemeError
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

SERVICE = "polyseme.v1.EmbeddingService/"
CONNECTIONS = 4
QUIET_S = 20.0
PATIENCE_S = 5.0  # a request that the server takes nothing of for so long is left as it is
ROW = "{:34} {:>6} {:>8} {:>9} {:>11} {:>8} {:>7} {:>9} {:>10}  {}"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server held, and what a caller of good will met.

    Attributes:
        most: MiB.
        calls: how many he made.
        failed: how many of them failed, retries included.
        worst_s: the longest that one took.
    """

    most: float
    calls: int
    failed: int
    worst_s: float


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--max-memory", default="2GiB")
    parser.add_argument("--replies", type=int, default=428)
    parser.add_argument("--requests", type=int, default=1200)
    arguments = parser.parse_args()
    print(heading())
    print(f"bound: --max-memory {arguments.max_memory}; {CONNECTIONS} connections")
    columns = (
        "attack",
        "calls",
        "sent MB",
        "at rest",
        "most MiB",
        "bound",
        "/bound",
        "others",
        "worst s",
        "ended with",
    )
    print(ROW.format(*columns))
    attacks = (
        ("replies of 15 MB, never taken", arguments.replies, take_nothing),
        ("requests of 16 MiB less a byte", arguments.requests, send_all_but_one),
    )
    for name, calls, attack in attacks:
        with server_process(arguments.artifact, "--max-memory", arguments.max_memory) as (target, pid):
            at_rest, bound = resident_mib(pid), mebibytes(arguments.max_memory)
            with_others = multiprocessing.get_context("spawn")
            ours, theirs = with_others.Pipe()
            watching = with_others.Process(target=embed_meanwhile, args=(target, pid, theirs))
            watching.start()
            ours.recv()
            sent, ended = attack(target, calls)
            ours.send("enough")
            seen: Seen = ours.recv()
            watching.join()
        others = f"{seen.failed}/{seen.calls}"
        row = (
            name,
            calls,
            f"{sent / 1e6:.0f}",
            f"{at_rest:.0f}",
            f"{seen.most:.0f}",
            bound,
            f"{seen.most / bound:.2f}",
        )
        print(ROW.format(*row, others, f"{seen.worst_s:.1f}", spelled(ended)), flush=True)


def take_nothing(target: str, calls: int) -> tuple[int, Counter[str]]:
    """Ask for large replies with requests of less than a kB, and take not a byte; gives bytes sent, statuses."""
    layers = common_pb2.LayerSelection(layers=[*range(7)] * 9, combine=common_pb2.COMBINE_CONCAT)
    request = pb.EmbedTokensRequest(texts=["a " * 150], layers=layers)
    data = request.SerializeToString()
    callers = [RawCaller(target, window=0) for _ in range(CONNECTIONS)]
    for index in range(calls):
        callers[index % CONNECTIONS].call(SERVICE + "EmbedTokens", data)
        callers[index % CONNECTIONS].listen(0.02)
    settle(callers)
    return calls * len(data), statuses(callers)


def send_all_but_one(target: str, calls: int) -> tuple[int, Counter[str]]:
    """Send requests but for their last byte; gives bytes sent, statuses."""
    data = framed(bytes(16 * MIB))[:-1]
    callers = [RawCaller(target) for _ in range(CONNECTIONS)]
    sent = 0
    for index in range(calls):
        caller = callers[index % CONNECTIONS]
        if caller.send(caller.begin(SERVICE + "Embed"), data, last=False, patience_s=PATIENCE_S):
            sent += len(data)
    settle(callers)
    return sent, statuses(callers)


def settle(callers: list[RawCaller]) -> None:
    """Wait until the server has ended nothing more for a while: what it has taken on is made meanwhile."""
    quiet = time.monotonic()
    ended = -1
    while time.monotonic() - quiet < QUIET_S:
        for caller in callers:
            caller.listen(0.1)
        if (now := sum(len(caller.ended) for caller in callers)) != ended:
            ended, quiet = now, time.monotonic()


def statuses(callers: list[RawCaller]) -> Counter[str]:
    """How the server has ended calls."""
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    return Counter(names.get(status, "reset") for caller in callers for status, _ in caller.ended.values())


def embed_meanwhile(target: str, pid: int, pipe: Connection) -> None:
    """Embed one text after another, with the SDK's defaults, and look at the server, until told that it is enough."""
    most, calls, failed, worst_s = 0.0, 0, 0, 0.0
    with Client(target) as client:
        client.embed(["a"])
        pipe.send("begun")
        while not pipe.poll(0.02):
            began = time.monotonic()
            try:
                client.embed(["We sat on the bank."])
            except PolysemeError:
                failed += 1
            calls += 1
            worst_s = max(worst_s, time.monotonic() - began)
            most = max(most, resident_mib(pid))
    pipe.send(Seen(most, calls, failed, worst_s))


def mebibytes(size: str) -> int:
    """A size as --max-memory takes it, in MiB."""
    return int(size[:-3]) * (1024 if size.endswith("GiB") else 1)


def spelled(counts: Counter[str]) -> str:
    """Statuses and how many of each."""
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none ended"


if __name__ == "__main__":
    main()
