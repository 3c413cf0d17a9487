"""Memory of the GPU, as the CUDA runtime tells it."""

from __future__ import annotations

import ctypes
import time
from contextlib import suppress
from typing import Final

_STEP_S: Final = 0.1
_STEPS: Final = 20


def used_mib() -> float:
    """Taken by all processes, of the current device; 0 where there is no CUDA runtime."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    for name in ("libcudart.so.13", "libcudart.so.12"):
        with suppress(OSError):
            if ctypes.CDLL(name).cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)) == 0:
                return (total.value - free.value) / 2**20
    return 0.0


def settled_mib() -> float:
    """The same, once it no longer falls: engines that were closed end on threads of their own. Up to two seconds."""
    used = used_mib()
    for _ in range(_STEPS):
        time.sleep(_STEP_S)
        if (now := used_mib()) >= used:
            return now
        used = now
    return used
