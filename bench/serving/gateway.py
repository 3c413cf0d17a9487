"""What HTTP costs a call beside gRPC: CPU of gateway and server against that of the server alone, in alternated rounds.

One server and one gateway run at once. Each round makes the same calls by gRPC, and by HTTP in both encodings, one call
after the other, in an order that changes. The price is that of a round: what else the machine does meets all of them.

Usage: python -m bench.serving.gateway ARTIFACT [--texts 1 32] [--rounds 30]
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from bench.lib.closed_loop import SERVICE
from bench.lib.machine import heading, versions
from bench.lib.server import cpu_seconds, free_port, server_process
from bench.lib.texts import mixed_texts

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
ROW = "{:>5} {:8} {:>11} {:>11} {:>11} {:>17}"
TEXTS = 96  # of a round: in so many calls of one text, or in fewer of more


@dataclass(slots=True)
class Way:
    """A way to the vectors, and what was measured of it.

    Attributes:
        server: microseconds of CPU of each call at the server, by round.
        gateway: the same at the gateway.
    """

    name: str
    call: Callable[[list[str]], object]
    server: list[float] = field(default_factory=list)
    gateway: list[float] = field(default_factory=list)

    @property
    def both(self) -> list[float]:
        """Microseconds of each call at server and gateway, by round."""
        return [one + other for one, other in zip(self.server, self.gateway, strict=True)]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 32], help="of a call")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    texts, source = mixed_texts(TEXTS)
    print(heading())
    print(f"         {versions('starlette', 'uvicorn', 'httptools', 'orjson')}")
    print(f"texts:   {source}; {arguments.rounds} rounds of {TEXTS} texts; medians; more: than gRPC's, and middle half")
    print(ROW.format("texts", "by", "server us", "gateway us", "more us", ""))
    with (
        server_process(arguments.artifact) as (target, server_pid),
        gateway_process(target) as (port, gateway_pid),
        grpc.insecure_channel(target) as channel,
        closing(http.client.HTTPConnection("127.0.0.1", port)) as connection,
    ):
        for count in arguments.texts:
            ways = [
                Way("gRPC", by_grpc(channel)),
                Way("base64", by_http(connection, "base64")),
                Way("float", by_http(connection, "float")),
            ]
            calls = [texts[first : first + count] for first in range(0, TEXTS - count + 1, count)]
            measure(ways, calls, arguments.rounds, server_pid, gateway_pid)
            for way in ways:
                print(row(way, ways[0], count), flush=True)


@contextmanager
def gateway_process(target: str) -> Iterator[tuple[int, int]]:
    """Run `polyseme gateway`; gives its port and its process id."""
    port = free_port()
    command = [sys.executable, "-m", "polyseme.cli.main", "gateway", "--target", target, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it listens
        try:
            yield port, process.pid
        finally:
            process.terminate()


def by_grpc(channel: grpc.Channel) -> Callable[[list[str]], object]:
    """Call Embed."""
    embed: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(SERVICE + "Embed")
    return lambda texts: embed(pb.EmbedRequest(texts=texts, text_options=CUT).SerializeToString())


def by_http(connection: http.client.HTTPConnection, encoding: str) -> Callable[[list[str]], object]:
    """Call /v1/embeddings."""

    def call(texts: list[str]) -> object:
        body = json.dumps({"input": texts, "truncate": "end", "encoding_format": encoding})
        connection.request("POST", "/v1/embeddings", body, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit(f"{response.status}: {answer!r}")
        return answer

    return call


def measure(ways: list[Way], calls: list[list[str]], rounds: int, server_pid: int, gateway_pid: int) -> None:
    """Measure every way in each round, after one round that does not count."""
    for number in range(rounds + 1):
        for way in random.sample(ways, len(ways)):
            server, gateway = cpu_seconds(server_pid), cpu_seconds(gateway_pid)
            for texts in calls:
                way.call(texts)
            if number:
                way.server.append((cpu_seconds(server_pid) - server) / len(calls) * 1e6)
                way.gateway.append((cpu_seconds(gateway_pid) - gateway) / len(calls) * 1e6)


def row(way: Way, first: Way, count: int) -> str:
    """One line of the table."""
    more = [mine - its for mine, its in zip(way.both, first.both, strict=True)]
    low, middle, high = statistics.quantiles(more, n=4)
    spread = "" if way is first else f"{low:.0f}..{high:.0f}"
    return ROW.format(
        count,
        way.name,
        f"{statistics.median(way.server):.0f}",
        f"{statistics.median(way.gateway):.0f}",
        f"{middle:.0f}",
        spread,
    )


if __name__ == "__main__":
    main()
