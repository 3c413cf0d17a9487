"""The host's part of a call where a GPU runs the model: CPU by kind of thread, and how long the interpreter is locked.

One thread at a time holds the interpreter's lock (the GIL). So what a call holds it for bounds the calls of a second,
on any number of cores. py-spy samples who holds it; a thread that is off its core counts as well, so on few cores the
figure is an upper bound. CPU is that of the server's process. Servers run at once and are called in turn, by the Go
program of bench/lib (`make .cache/bin/sender`).

Usage: python -m bench.cost.host_path ARTIFACT [NAME=TREE[,FLAG=VALUE...] ...] [--device cuda] [--rounds 3]
       [--seconds 3]

TREE is a checkout of another version, default: `now=.`; FLAG is one of `polyseme serve`, without its dashes. py-spy
must be on the path. Over the fake CUDA runtime of tests/cuda, which computes nothing, the host is all there is to
measure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.gpu.steps.served import requests_of, sample_texts
from bench.lib.machine import heading
from bench.lib.sender import send
from bench.lib.server import environment_of, server_process

LOADS: Final = ((1, 64), (32, 16), (256, 8))  # texts of a call, calls in flight
METHOD: Final = "/polyseme.v1.EmbeddingService/Embed"
KINDS: Final = {"MainThread": "event loop", "tokenizer": "tokenizers", "lane": "runners", "runner": "runners"}
OTHERS: Final = "gRPC's core"
SAMPLES_A_SECOND: Final = 200


def main() -> None:
    """Print a row for each load and server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("versions", nargs="*", default=["now=."], metavar="NAME=TREE[,FLAG=VALUE...]")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    print(f"```\n{heading()}\n```\n")
    with ExitStack() as stack:
        servers = {}
        for version in arguments.versions:
            first, *settings = version.split(",")
            name, _, tree = first.partition("=")
            flags = [f"--{setting}" for setting in settings]
            own = environment_of(Path(tree))
            paths = own["PYTHONPATH"], os.environ.get("PYTHONPATH", "")
            servers[name] = stack.enter_context(
                server_process(
                    arguments.artifact, "--device", arguments.device, "--max-queue-tokens", str(1 << 22), *flags,
                    environment={**own, "PYTHONPATH": os.pathsep.join(paths)},
                )
            )  # fmt: skip
        measure(servers, arguments.rounds, arguments.seconds)


def measure(servers: dict[str, tuple[str, int]], rounds: int, seconds: float) -> None:
    """Print medians, with the least and the most; the order of the servers changes from round to round."""
    columns = ["calls/s", "p50 ms", "CPU us a call", *dict.fromkeys(KINDS.values()), OTHERS, "GIL us a call"]
    print(f"| texts of a call | in flight | server | {' | '.join(columns)} |\n|{'---|' * (3 + len(columns))}")
    sample = sample_texts(2048)
    for texts, in_flight in LOADS:
        requests, seen = requests_of(sample, texts, 512), defaultdict(list)
        for number in range(rounds + 1):  # the first warms up
            for name in random.sample(list(servers), len(servers)):
                row = figures(*servers[name], requests, in_flight, seconds if number else 0.5)
                if number:
                    seen[name].append(row)
        for name in servers:
            cells = [spread([row[column] for row in seen[name]]) for column in columns]
            print(f"| {texts} | {in_flight} | {name} | {' | '.join(cells)} |", flush=True)


def spread(values: list[float]) -> str:
    """The median, with the least and the most."""
    middle, least, most = (
        f"{value:.0f}" if value >= 100 else f"{value:.3g}"
        for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({least}..{most})"


def figures(target: str, pid: int, requests: list[bytes], in_flight: int, seconds: float) -> dict[str, float]:
    """Load a server twice, once to measure its CPU and once more to sample its lock; gives each column."""
    before = thread_seconds(pid)
    load = send(target, METHOD, requests, in_flight=in_flight, seconds=seconds, warm_up=0.3)
    after, names = thread_seconds(pid), thread_names(pid)
    if load.failed:
        raise SystemExit(f"{load.failed} calls failed: {load.error}")
    cpu = dict.fromkeys((*KINDS.values(), OTHERS), 0.0)
    for thread, taken in after.items():
        cpu[KINDS.get(names.get(thread, ""), OTHERS)] += (taken - before.get(thread, 0.0)) / load.answered * 1e6
    return {
        "calls/s": load.rate,
        "p50 ms": load.percentile_ms(0.5),
        "CPU us a call": sum(cpu.values()),
        **cpu,
        "GIL us a call": locked_us(target, pid, requests, in_flight, seconds),
    }


def locked_us(target: str, pid: int, requests: list[bytes], in_flight: int, seconds: float) -> float:
    """Microseconds that the interpreter is locked for a call."""
    whole = max(1, round(seconds))
    with tempfile.NamedTemporaryFile("r") as file:
        options = ["--gil", "--format", "raw", "--rate", str(SAMPLES_A_SECOND), "--duration", str(whole)]
        spy = subprocess.Popen(
            ["py-spy", "record", *options, "--output", file.name, "--pid", str(pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.3)  # it begins
        load = send(target, METHOD, requests, in_flight=in_flight, seconds=whole + 0.5, warm_up=0.0)
        spy.wait(timeout=60)
        samples = sum(int(line.rpartition(" ")[2]) for line in file.read().splitlines())
    return samples / (SAMPLES_A_SECOND * whole) / load.rate * 1e6


def thread_seconds(pid: int) -> dict[int, float]:
    """Seconds of CPU of each thread so far, by its id."""
    taken = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            taken[int(thread.name)] = int((thread / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return taken


def thread_names(pid: int) -> dict[int, str]:
    """Names that Python gives its threads, without their numbers, by the system's id."""
    dumped = subprocess.run(["py-spy", "dump", "--json", "--pid", str(pid)], capture_output=True, text=True, check=True)
    return {one["os_thread_id"]: re.sub(r"[-_]\d.*", "", one["thread_name"]) for one in json.loads(dumped.stdout)}


if __name__ == "__main__":
    main()
