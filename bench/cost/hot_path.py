"""CPU of a call outside of the session: the real server, whose engine gives a vector that lies ready.

`echo` is what gRPC for Python costs by itself: a server that sends a reply of the same size at once. All servers run at
once and are called in turn, in an order that changes. CPU is that of the server's process, all of its threads.

Usage: python -m bench.cost.hot_path ARTIFACT [NAME=TREE[,VARIABLE=VALUE...] ...] [--rounds 5] [--profile N]

TREE is a checkout of another version, default: `now=.`; the variables are put into that server's environment. --profile
prints the N functions that take most time of today's event loop, under cProfile.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import multiprocessing
import os
import pstats
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
import numpy.typing as npt
from bench.lib.closed_loop import WARM_UP_CALLS, call_in_a_loop
from bench.lib.machine import heading
from bench.lib.server import cpu_seconds, environment_of, free_port, wait_until_ready
from bench.lib.texts import mixed_texts

from polyseme.artifact import Artifact
from polyseme.server.config import ServerConfig
from polyseme.server.engine.local import LocalEngine, LocalEngines
from polyseme.server.serving import serve
from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1.common_pb2 import TRUNCATE_END, TextOptions

ECHO: Final = "echo"
# Texts of a call, calls in flight, calls of a round.
LOADS: Final = ((1, 1, 400), (1, 64, 1200), (32, 1, 60), (32, 16, 160))
MODULE: Final = "bench.cost.hot_path"


class ReadyEngine:
    """An engine that gives vectors which lie ready."""

    def __init__(self, engine: Any, dimensions: int) -> None:
        self._engine = engine
        self._vectors = np.full((1024, dimensions), dimensions**-0.5, dtype=np.float32)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, _: str, batch: Any, outputs: Sequence[str], *__: object) -> list[npt.NDArray[np.float32]]:
        """Give a vector for each text."""
        return [self._vectors[: len(batch.lengths)] for _ in outputs]


class ReadyEngines(LocalEngines):
    """The server's own engines, but for what runs a batch."""

    def load(self, artifact: Artifact) -> LocalEngine:
        """Load the artifact, to be put aside."""
        engine: Any = super().load(artifact)
        engine.engine = ReadyEngine(engine.engine, artifact.manifest.model.embedding.dimensions)
        return engine  # type: ignore[no-any-return]


def serve_ready(artifact: Path, port: int, profile: str) -> None:
    """Be the server; --profile writes what its event loop did."""
    config = ServerConfig(port=port, metrics_port=0, log_level="warning", drain_delay_s=0)
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    serve([artifact], config, make_engines=ReadyEngines)
    if profile:
        profiler.disable()
        profiler.dump_stats(profile)


def serve_echo(port: int, size: int) -> None:
    """Be the server that costs least: it gives so many bytes."""
    reply = bytes(size)

    class Handlers(grpc.GenericRpcHandler):
        """Answers every method."""

        def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
            """Give what answers."""
            return grpc.unary_unary_rpc_method_handler(answer)

    async def answer(_: bytes, __: object) -> bytes:
        return reply

    async def main() -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((Handlers(),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(main())


@contextmanager
def started(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """Start this module as a server; gives its target and its process id."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", MODULE, *arguments, "--port", str(port)], env=environment)
    target = f"127.0.0.1:{port}"
    try:
        if ECHO not in arguments:
            wait_until_ready(target, process)
        else:
            with grpc.insecure_channel(target) as channel:
                grpc.channel_ready_future(channel).result(timeout=300)
        yield target, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def requests_of(texts: int, calls: int) -> list[bytes]:
    """Requests of so many texts each."""
    lines, _ = mixed_texts(512)
    options = TextOptions(truncate=TRUNCATE_END)
    return [
        pb.EmbedRequest(
            texts=[lines[(call * texts + i) % len(lines)] for i in range(texts)], text_options=options
        ).SerializeToString()
        for call in range(calls)
    ]


def measure(servers: dict[str, tuple[str, int]], rounds: int) -> None:
    """Print a table: CPU microseconds of a call, and how they compare to those of the first server."""
    print("| texts of a call | in flight | server | CPU us a call (min..max) | ratio in a round |")
    print("|---|---|---|---|---|")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for texts, in_flight, calls in LOADS:
            requests, taken = requests_of(texts, calls), defaultdict(list)
            for number in range(rounds + 1):
                for name in random.sample(list(servers), len(servers)):
                    target, pid = servers[name]
                    before = cpu_seconds(pid)
                    pool.apply(call_in_a_loop, (target, "Embed", requests, in_flight))
                    if number:
                        taken[name].append((cpu_seconds(pid) - before) / (calls + WARM_UP_CALLS) * 1e6)
            first = taken[next(iter(servers))]
            for name in servers:
                each = taken[name]
                ratio = statistics.median(mine / its for mine, its in zip(each, first, strict=True))
                row = f"{statistics.median(each):.0f} ({min(each):.0f}..{max(each):.0f}) | {ratio:.2f}"
                print(f"| {texts} | {in_flight} | {name} | {row} |", flush=True)


def show_profile(artifact: Path, top: int) -> None:
    """Print the functions that take most time of the event loop."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "profile")
        requests = requests_of(1, 2000)
        with (
            started("serve", str(artifact), "--profile-to", path) as (target, _),
            multiprocessing.get_context("spawn").Pool(1) as pool,
        ):
            pool.apply(call_in_a_loop, (target, "Embed", requests, 64))
        stats = pstats.Stats(path)
    stats.strip_dirs().sort_stats("tottime").print_stats(top)


def main() -> None:
    """Print a table; or be a server of it."""
    if sys.argv[1:2] in (["serve"], [ECHO]):
        parser = argparse.ArgumentParser()
        parser.add_argument("what")
        parser.add_argument("argument")
        parser.add_argument("--port", type=int)
        parser.add_argument("--profile-to", default="")
        arguments = parser.parse_args()
        if arguments.what == ECHO:
            serve_echo(arguments.port, int(arguments.argument))
        else:
            serve_ready(Path(arguments.argument), arguments.port, arguments.profile_to)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("versions", nargs="*", default=["now=."], metavar="NAME=TREE[,VARIABLE=VALUE...]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    if arguments.profile:
        show_profile(arguments.artifact, arguments.profile)
        return
    size = 4 * Artifact.open(arguments.artifact).manifest.model.embedding.dimensions
    print(f"```\n{heading()}\n```\n")
    with ExitStack() as stack:
        servers = {}
        for version in arguments.versions:
            first, *variables = version.split(",")
            name, _, tree = first.partition("=")
            own = environment_of(Path(tree))
            paths = own["PYTHONPATH"], str(Path.cwd()), os.environ.get("PYTHONPATH", "")
            environment = {**own, "PYTHONPATH": os.pathsep.join(paths)}
            environment |= dict(one.split("=", 1) for one in variables)
            servers[name] = stack.enter_context(started("serve", str(arguments.artifact), environment=environment))
        servers[ECHO] = stack.enter_context(started(ECHO, str(size)))
        measure(servers, arguments.rounds)


if __name__ == "__main__":
    main()
