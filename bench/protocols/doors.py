"""CPU of a server for one call, by the contract that it comes through, beside that of polyseme.v1.

Usage: python -m bench.protocols.doors ARTIFACT [--rounds 8]

The engine gives vectors that lie ready (as in `bench.cost.hot_path`), so that what a contract costs is not lost in
the model's own time. Each round takes the contracts in random order; ratios are to polyseme.v1 in the same round.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.cost.hot_path import ReadyEngines
from bench.lib.closed_loop import SERVICE, WARM_UP_CALLS, call_in_a_loop
from bench.lib.machine import heading
from bench.lib.server import cpu_seconds, free_port, wait_until_ready
from bench.lib.texts import mixed_texts

from polyseme.protocols.kserve import grpc_service_pb2 as kserve
from polyseme.protocols.tei import tei_pb2 as tei
from polyseme.server.config import ServerConfig
from polyseme.server.serving import serve
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as v1

V1: Final = "polyseme.v1 Embed"
_KSERVE: Final = "/inference.GRPCInferenceService/"


def _v1(texts: Sequence[str]) -> bytes:
    options = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
    return v1.EmbedRequest(texts=texts, text_options=options).SerializeToString()


def _tei(texts: Sequence[str]) -> bytes:
    (text,) = texts
    return tei.EmbedRequest(inputs=text, truncate=True).SerializeToString()


def _kserve(texts: Sequence[str], *, raw: bool) -> bytes:
    elements = [text.encode() for text in texts]
    request = kserve.ModelInferRequest()
    request.parameters["truncate"].string_param = "end"
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
    if raw:
        request.raw_input_contents.append(b"".join(len(one).to_bytes(4, "little") + one for one in elements))
    else:
        tensor.contents.bytes_contents.extend(elements)
    return request.SerializeToString()


def _kserve_raw(texts: Sequence[str]) -> bytes:
    return _kserve(texts, raw=True)


def _kserve_typed(texts: Sequence[str]) -> bytes:
    return _kserve(texts, raw=False)


# Service, method and request of each contract.
DOORS: Final[dict[str, tuple[str, str, Callable[[Sequence[str]], bytes]]]] = {
    V1: (SERVICE, "Embed", _v1),
    "tei.v1 Embed": ("/tei.v1.Embed/", "Embed", _tei),
    "KServe ModelInfer, raw": (_KSERVE, "ModelInfer", _kserve_raw),
    "KServe ModelInfer, typed": (_KSERVE, "ModelInfer", _kserve_typed),
}
LOADS: Final = {1: 200, 32: 20}  # calls by texts of a call


@contextmanager
def ready_server(artifact: Path) -> Iterator[tuple[str, int]]:
    """Start this module as a server; gives its target and its process id."""
    port = free_port()
    command = [sys.executable, "-m", "bench.protocols.doors", str(artifact), "--serve", str(port)]
    process = subprocess.Popen(command)
    try:
        wait_until_ready(f"127.0.0.1:{port}", process)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def measure(target: str, pid: int, rounds: int) -> None:
    """Print a table."""
    print("| texts of a call | contract | CPU us a call, median (min..max) | ratio in a round, median (min..max) |")
    print("|---|---|---|---|")
    lines, _ = mixed_texts(512)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for texts, calls in LOADS.items():
            doors = {name: door for name, door in DOORS.items() if texts == 1 or "tei" not in name}
            taken = defaultdict[str, list[float]](list)
            for number in range(rounds + 1):
                for name in random.sample(list(doors), len(doors)):
                    service, method, request = doors[name]
                    requests = [
                        request([lines[(call * texts + i) % len(lines)] for i in range(texts)]) for call in range(calls)
                    ]
                    before = cpu_seconds(pid)
                    pool.apply(call_in_a_loop, (target, method, requests, 1, service))
                    if number:  # the first round warms up
                        taken[name].append((cpu_seconds(pid) - before) / (calls + WARM_UP_CALLS) * 1e6)
            for name, times in taken.items():
                ratios = [own / other for own, other in zip(times, taken[V1], strict=True)]
                print(f"| {texts} | {name} | {_spread(times, 0)} | {_spread(ratios, 2)} |", flush=True)


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def main() -> None:
    """Print the table, or be the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        config = ServerConfig(
            port=arguments.serve, metrics_port=0, log_level="warning", drain_delay_s=0, protocols="tei,kserve"
        )
        serve([arguments.artifact], config, make_engines=ReadyEngines)
        return
    print(f"```\n{heading()}\n```\n")
    with ready_server(arguments.artifact) as (target, pid):
        measure(target, pid, arguments.rounds)


if __name__ == "__main__":
    main()
