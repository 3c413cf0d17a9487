"""CPU of an export, of a start of the server, of `polyseme --help` and of `import polyseme.client`, by version.

Versions take turns. Each exports SOURCE, and serves what it has exported: artifacts of another version may have another
schema. The ratio is that of a round. Give the first version twice to see what noise adds. A round that is not counted
comes first: it compiles the modules, as an installation does.

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

EXPORT, START, HELP, IMPORT = "export", "start, until ready", "`polyseme --help`", "`import polyseme.client`"


def named_tree(text: str) -> tuple[str, Path]:
    """Read NAME=TREE."""
    name, _, tree = text.partition("=")
    return name, Path(tree)


def compiling(tree: Path, folder: Path) -> dict[str, str]:
    """The environment in which a version runs, and keeps its compiled modules in this folder."""
    environment = {**environment_of(tree), "PYTHONPYCACHEPREFIX": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def python_cpu(environment: dict[str, str], *arguments: str) -> float:
    """Seconds of CPU of an interpreter with these arguments.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {' '.join(arguments)}; {environment['PYTHONPATH']}")
    return usage.ru_utime + usage.ru_stime


def start_cpu(environment: dict[str, str], artifact: Path) -> float:
    """Seconds of CPU of a server from its first moment until it is ready."""
    with server_process(artifact, environment=environment) as (_, pid):
        return cpu_seconds(pid)


def all_cpu(environment: dict[str, str], source: str, artifact: Path) -> dict[str, float]:
    """Seconds of CPU of all that is measured, once each."""
    export = ["export", source, "-o", str(artifact), "--name", "m", "--force"]
    return {
        EXPORT: python_cpu(environment, "-m", "polyseme.cli.main", *export),
        START: start_cpu(environment, artifact),
        HELP: python_cpu(environment, "-m", "polyseme.cli.main", "--help"),
        IMPORT: python_cpu(environment, "-c", "import polyseme.client"),
    }


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
        environments = {name: compiling(tree, Path(folder, "modules")) for name, tree in versions.items()}
        for number in range(arguments.rounds + 1):
            for name in random.sample(list(versions), len(versions)):
                found = all_cpu(environments[name], arguments.source, Path(folder, name))
                for what, taken in found.items() if number else ():
                    cpu[what, name].append(taken)
    print(f"\n| {arguments.rounds} rounds | version | CPU s, median | ratio of a round: median, least..most |")
    print("|---|---|---:|---:|")
    first = next(iter(versions))
    for (what, name), seconds in sorted(cpu.items()):
        ratios = [mine / its for mine, its in zip(seconds, cpu[what, first], strict=True)]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}..{max(ratios):.3f})"
        print(f"| {what} | {name} | {statistics.median(seconds):.3f} | {spread} |")


if __name__ == "__main__":
    main()
