"""CPU of an export, and of a start of the server: one version against another, in alternated rounds.

Each version exports SOURCE, and serves what it has exported: artifacts of another version may have another schema. The
ratio is that of a round. Give the first version twice to see what noise adds.

Usage: python -m bench.export.versions SOURCE NAME=TREE NAME=TREE ... [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.server import cpu_seconds, environment_of, server_process

EXPORT, START = "export", "start, until ready"


def named_tree(text: str) -> tuple[str, Path]:
    """Read NAME=TREE."""
    name, _, tree = text.partition("=")
    return name, Path(tree)


def export_cpu(tree: Path, source: str, target: Path) -> float:
    """Seconds of CPU of one export, with all of its gates."""
    command = [sys.executable, "-m", "polyseme.cli.main", "export", source, "-o", str(target), "--name", "m", "--force"]
    process = subprocess.Popen(command, env=environment_of(tree), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the export of {tree} ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def start_cpu(tree: Path, artifact: Path) -> float:
    """Seconds of CPU of a server from its first moment until it is ready."""
    with server_process(artifact, environment=environment_of(tree)) as (_, pid):
        return cpu_seconds(pid)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="checkpoint, as `polyseme export` takes it")
    parser.add_argument("versions", type=named_tree, nargs="+", metavar="NAME=TREE")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    versions: dict[str, Path] = dict(arguments.versions)
    cpu: dict[tuple[str, str], list[float]] = defaultdict(list)
    print(heading())
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for name in random.sample(list(versions), len(versions)):
                artifact = Path(folder, name)
                cpu[EXPORT, name].append(export_cpu(versions[name], arguments.source, artifact))
                cpu[START, name].append(start_cpu(versions[name], artifact))
    print(f"\n| {arguments.rounds} rounds | version | CPU s, median | ratio of a round: median, least..most |")
    print("|---|---|---:|---:|")
    first = next(iter(versions))
    for (what, name), seconds in sorted(cpu.items()):
        ratios = [mine / its for mine, its in zip(seconds, cpu[what, first], strict=True)]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}..{max(ratios):.3f})"
        print(f"| {what} | {name} | {statistics.median(seconds):.2f} | {spread} |")


if __name__ == "__main__":
    main()
