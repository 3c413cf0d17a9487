"""What every result must say: when, on what, with which versions."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path


def heading() -> str:
    """The lines that stand above a table in bench/results/."""
    return "\n".join(
        (
            f"command: {_command()}",
            f"date:    {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
            f"machine: {_processor()}, {len(os.sched_getaffinity(0))} cores; Python {platform.python_version()}",
            f"with:    {versions('polyseme', 'onnxruntime', 'grpcio', 'numpy')}",
        )
    )


def _command() -> str:
    """The command as it was given, from the root of the project."""
    script = Path(sys.argv[0]).resolve().relative_to(Path(__file__).parents[2]).with_suffix("")
    return f"python -m {'.'.join(script.parts)} {shlex.join(sys.argv[1:])}".rstrip()


def versions(*names: str) -> str:
    """What is installed of these."""
    return ", ".join(f"{name} {_version(name)}" for name in names)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"
