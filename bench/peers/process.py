"""CPU and memory of a server and all processes below it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_MIB: Final = os.sysconf("SC_PAGE_SIZE") / 2**20


def family(pid: int) -> list[int]:
    """A process, and those that it has begun, and those that they have."""
    found = [pid]
    for each in found:  # grows
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process and those below it have taken so far, in steps of 10 ms."""
    return sum(sum(map(int, _stat(each)[11:13])) for each in family(pid)) / _TICKS


def resident_mib(pid: int) -> float:
    """Memory of a process and those below it, files that are mapped included, in MiB."""
    return sum(int(_stat(each)[21]) for each in family(pid)) * _PAGE_MIB


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold spaces: the first is `state`."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
