"""Access to GPUs: while a CUDA graph is captured, nothing else may touch CUDA; and the errors that end it for good.

onnxruntime captures in mode `global`: an allocation, a free, a copy or a synchronization by any thread then fails with
cudaErrorStreamCaptureUnsupported (900), and spoils the capture. So captures take one lock alone, which everything else
shares: runs, copies, making sessions, giving them back. It is one for the process, whatever the number of GPUs, models
and engines. Models are loaded one after another, so that a capture waits for runs and never for another model to load.

Source: CUDA Runtime API, cudaThreadExchangeStreamCaptureMode.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from weakref import WeakSet

from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import without_code
from polyseme.runtime.engines.phase_fair_lock import PhaseFairLock
from polyseme.runtime.errors import DeviceLostError, RuntimeUnavailableError, first_line

_CUDA: Final = PhaseFairLock()
_SESSIONS: Final[WeakSet[object]] = WeakSet()  # all on GPUs

# Errors that CUDA keeps: every later call of the process fails with them too. Source: CUDA Runtime API 13, cudaError,
# "the process must be terminated and relaunched"; and those of broken hardware.
_KEPT: Final = {
    214: "ECCUncorrectable",
    220: "NvlinkUncorrectable",
    226: "Contained",
    700: "IllegalAddress",
    702: "LaunchTimeout",
    710: "Assert",
    714: "HardwareStackError",
    715: "IllegalInstruction",
    716: "MisalignedAddress",
    717: "InvalidAddressSpace",
    718: "InvalidPc",
    719: "LaunchFailure",
    721: "TensorMemoryLeak",
    810: "MpsClientTerminated",
    911: "ExternalDevice",
}
# onnxruntime prints what a call gave by number, and what a kernel left behind by name.
_STICKY: Final = re.compile(
    rf"CUDA failure ({'|'.join(map(str, _KEPT))}):|CUDA error cudaError({'|'.join(_KEPT.values())}):"
)
_NO_CODE: Final = re.compile("CUDA failure 209:|CUDA error cudaErrorNoKernelImageForDevice:")


@contextmanager
def using(device: Device) -> Iterator[None]:
    """Around whatever touches the device; waits for one capture at most. Not to be nested.

    Raises:
        DeviceLostError: an error that CUDA keeps came up.
        RuntimeUnavailableError: this build of onnxruntime has no code for the GPU.
    """
    if device.kind == "cpu":
        yield
        return
    with _CUDA.read(), _explained(device):
        yield


@contextmanager
def capturing(device: Device) -> Iterator[None]:
    """Around a run that is captured; waits for the runs under way. Not within `using`.

    Raises:
        DeviceLostError, RuntimeUnavailableError: as `using`.
    """
    if device.kind == "cpu":
        yield
        return
    with _CUDA.write(), _explained(device):
        yield


def opened(session: object) -> None:
    """Remember a session on a GPU, for the case that the GPU is lost."""
    _SESSIONS.add(session)


@contextmanager
def _explained(device: Device) -> Iterator[None]:
    """Tell failures after which nothing can be run from those of one batch."""
    try:
        yield
    except Exception as error:
        said = f"{error} {error.__cause__}"
        if _NO_CODE.search(said):
            raise RuntimeUnavailableError(without_code(device)) from error
        if not _STICKY.search(said):
            raise
        # onnxruntime frees in destructors, where an error ends the process: before anyone has heard of it, and before
        # a CPU can take over. So no session is ever destroyed any more.
        for session in _SESSIONS:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
        raise DeviceLostError(f"the GPU is in an error that only a new process ends: {first_line(error)}") from error
