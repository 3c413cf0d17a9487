"""The memory of the machine and of this process, as Linux tells it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_GROUPS: Final = Path("/sys/fs/cgroup")
_MOST_CONNECTIONS: Final = 1024


def available_bytes(groups: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Give the bytes that this process may have: the least limit of its control groups, else those of the machine."""
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE
    return min([machine, *_limits(groups, own)])


def memory_limit(setting: str) -> int:
    """Give the bytes that `--max-memory` names; `auto`: a share of the available bytes."""
    if setting == "auto":
        return available_bytes() * 3 // 4
    return int(setting[:-3]) << (30 if setting.endswith("GiB") else 20)


def connections_within(limit: int, bytes_each: int) -> int:
    """Count the connections that fill at most half of the memory; at least 1, at most 1,024.

    Args:
        limit: bytes of the process.
        bytes_each: bytes that one connection may hold.
    """
    return max(1, min(_MOST_CONNECTIONS, limit // 2 // bytes_each))


def resident_bytes() -> int:
    """Give the bytes that this process holds, without the files that it maps, as weights."""
    resident, shared = Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3]
    return (int(resident) - int(shared)) * _PAGE


def trim() -> None:
    """Give freed memory back to the system; the C library would keep it, and it would count as held."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def _limits(groups: Path, own: Path) -> list[int]:
    """Give the limits of a process's control groups; of both versions, where there are any."""
    limits = []
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root, name = (groups / "memory", "memory.limit_in_bytes") if controllers else (groups, "memory.max")
        group = root / path.lstrip("/")
        # A container sees its own group as the root, whatever /proc says of its path.
        for folder in {group, *group.parents, root}:
            text = _text(folder / name).strip()
            if text.isdecimal():
                limits.append(int(text))
    return limits


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
