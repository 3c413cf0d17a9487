"""What a call costs one version of the server against another: CPU of the server's process, in alternated rounds.

All servers run at once; each round calls every one of them, one call after the other, in an order that changes. The
ratio is that of a round: what else the machine does meets both sides. Give the first one twice to see what noise adds.

Usage: python -m bench.cost.versions ARTIFACT NAME=TREE[,VARIABLE=VALUE...] NAME=... [--texts 1 32] [--rounds 30]

TREE is a source tree or a wheel; the variables are put into that server's environment.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from bench.lib.closed_loop import SERVICE
from bench.lib.machine import heading
from bench.lib.server import cpu_seconds, server_process
from bench.lib.texts import mixed_texts

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

ROOTS = ("proto", "runtime", "export", "server", "client", "gateway", "cli")
CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
ROW = "{:>5} {:12} {:>12} {:>8} {:>15} {:>9} {:>9}"
TEXTS = 96  # of a round: in so many calls of one text, or in fewer of more


@dataclass(slots=True)
class Version:
    """One server, and what was measured of it.

    Attributes:
        name: as it was given.
        tree: a source tree or a wheel.
        environment: variables of its own.
        cpu: seconds of each call, by round.
        latencies: seconds of every call.
    """

    name: str
    tree: Path
    environment: dict[str, str]
    call: Any = None
    pid: int = 0
    cpu: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @classmethod
    def parse(cls, given: str) -> Version:
        """Read NAME=TREE[,VARIABLE=VALUE...]."""
        first, *variables = given.split(",")
        name, _, tree = first.partition("=")
        return cls(name, Path(tree).resolve(), dict(one.split("=", 1) for one in variables))

    def start(self, artifact: Path, stack: ExitStack) -> None:
        """Start its server."""
        tree = self.tree
        if tree.suffix == ".whl":
            tree = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            zipfile.ZipFile(self.tree).extractall(tree)
        paths = [tree / root for root in ROOTS] if (tree / ROOTS[0]).is_dir() else [tree]
        environment = {**os.environ, **self.environment, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        target, self.pid = stack.enter_context(server_process(artifact, environment=environment))
        self.call = stack.enter_context(grpc.insecure_channel(target)).unary_unary(SERVICE + "Embed")

    def run(self, requests: list[bytes]) -> None:
        """Call it, one request after the other."""
        before = cpu_seconds(self.pid)
        for request in requests:
            began = time.perf_counter()
            self.call(request)
            self.latencies.append(time.perf_counter() - began)
        self.cpu.append((cpu_seconds(self.pid) - before) / len(requests))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("versions", type=Version.parse, nargs="+", metavar="NAME=TREE[,VARIABLE=VALUE...]")
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 32], help="of a call")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    versions: list[Version] = arguments.versions
    texts, source = mixed_texts(TEXTS)
    print(heading())
    print(f"texts:   {source}; {arguments.rounds} rounds of {TEXTS} texts; ratio: median, and middle half of rounds")
    print(ROW.format("texts", "server", "CPU ms/call", "ratio", "", "p50 ms", "p99 ms"))
    with ExitStack() as stack:
        for version in versions:
            version.start(arguments.artifact, stack)
        for count in arguments.texts:
            requests = [
                pb.EmbedRequest(texts=texts[first : first + count], text_options=CUT).SerializeToString()
                for first in range(0, TEXTS - count + 1, count)
            ]
            compare(versions, requests, arguments.rounds)
            for version in versions:
                print(row(version, versions[0], count), flush=True)


def compare(versions: list[Version], requests: list[bytes], rounds: int) -> None:
    """Measure every version in each round, after one round that does not count."""
    for number in range(rounds + 1):
        for version in random.sample(versions, len(versions)):
            if number <= 1:
                version.cpu, version.latencies = [], []
            version.run(requests)


def row(version: Version, first: Version, count: int) -> str:
    """One line of the table."""
    ratios = [mine / its for mine, its in zip(version.cpu, first.cpu, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    latencies = statistics.quantiles(version.latencies, n=100)
    return ROW.format(
        count,
        version.name,
        f"{statistics.median(version.cpu) * 1e3:.3f}",
        f"{statistics.median(ratios):.3f}",
        f"{low:.3f}..{high:.3f}",
        f"{latencies[49] * 1e3:.2f}",
        f"{latencies[98] * 1e3:.2f}",
    )


if __name__ == "__main__":
    main()
