"""Access to GPUs: while a CUDA graph is captured, nothing else in the process may touch CUDA.

onnxruntime captures in mode `global`: an allocation, a free, a copy or a synchronization by any thread then fails with
cudaErrorStreamCaptureUnsupported (900), and spoils the capture. So captures take one lock alone, which everything else
shares: runs, copies, making sessions, giving them back. It is one for the process, whatever the number of GPUs, models
and engines. Models are loaded one after another, so that a capture waits for runs and never for another model to load.

Source: CUDA Runtime API, cudaThreadExchangeStreamCaptureMode.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from polyseme.runtime.engines.onnxruntime.devices import Device
from polyseme.runtime.phase_fair_lock import PhaseFairLock

_CUDA: Final = PhaseFairLock()


def using(device: Device) -> AbstractContextManager[None]:
    """Around whatever touches the device; waits for one capture at most. Not to be nested."""
    return _CUDA.read() if device.kind == "cuda" else nullcontext()


def capturing(device: Device) -> AbstractContextManager[None]:
    """Around a run that is captured; waits for the runs under way. Not within `using`."""
    return _CUDA.write() if device.kind == "cuda" else nullcontext()
