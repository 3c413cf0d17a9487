"""The cores that this process may use: its affinity, and the quota of CPU time that its control groups have."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

_CGROUPS: Final = "sys/fs/cgroup"


def usable_cores(root: Path = Path("/")) -> int:
    """Count the cores; a part of one counts as a whole.

    Args:
        root: folder that has proc and sys.

    Source: docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), docs.kernel.org/scheduler/sched-bwc.html (cgroup v1).
    """
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), *_quotas(root), math.inf)))


def _quotas(root: Path) -> Iterator[float]:
    """Give the quota in cores of this process's control groups and of those around them."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if not controllers:
            yield from _each(root / _CGROUPS, path, _quota_v2)
        elif "cpu" in controllers.split(","):
            for mount in dict.fromkeys((controllers, "cpu")):
                yield from _each(root / _CGROUPS / mount, path, _quota_v1)


def _each(mount: Path, path: str, quota_of: Callable[[Path], float]) -> Iterator[float]:
    """Look at a group and at those around it; in a container the path may lead nowhere, and the group is the mount."""
    group = PurePosixPath(path.lstrip("/"))
    for each in (group, *group.parents):
        with suppress(OSError, ValueError, ZeroDivisionError):
            yield quota_of(mount / each)


def _quota_v2(group: Path) -> float:
    quota, period = (group / "cpu.max").read_text().split()
    return int(quota) / int(period)  # "max" is no number: there is no quota


def _quota_v1(group: Path) -> float:
    quota = int((group / "cpu.cfs_quota_us").read_text())
    if quota <= 0:
        raise ValueError(quota)  # there is none
    return quota / int((group / "cpu.cfs_period_us").read_text())
