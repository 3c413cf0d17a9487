"""Who may touch a GPU while another does, and which errors end it for good. No GPU is needed to ask."""

import threading
from dataclasses import replace

import onnxruntime as ort
import pytest

from polyseme.artifact import Precision
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime import access as module
from polyseme.runtime.engines.onnxruntime import devices
from polyseme.runtime.engines.onnxruntime.access import capturing, opened, using
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, TENSORRT
from polyseme.runtime.engines.onnxruntime.gpus import Gpu
from polyseme.runtime.errors import DeviceLostError, RuntimeUnavailableError

ON_CPU = Device(execution_provider=CPU, precision=Precision.FP32)
ON_CUDA = Device(execution_provider=CUDA, precision=Precision.FP16)
ON_THE_OTHER = Device(execution_provider=CUDA, precision=Precision.FP16, number=1)
ON_TENSORRT = Device(execution_provider=TENSORRT, precision=Precision.FP16)
STICKY = [
    "Non-zero status code returned. CUDA failure 700: an illegal memory access was encountered ; GPU=0",
    "Non-zero status code returned. CUDA failure 719: unspecified launch failure ; GPU=0",
    "Status Message: CUDA error cudaErrorIllegalAddress:an illegal memory access was encountered",
]
PASSING = [
    "Failed to allocate memory for requested buffer of size 1073741824",
    "CUDA failure 2: out of memory ; GPU=0",
]
NO_CODE = [
    "CUDA failure 209: no kernel image is available ; GPU=0",
    "CUDA error cudaErrorNoKernelImageForDevice:no kernel image is available",
]


def entered(way_in, device):
    """Whether a thread of its own comes in at once; else it comes in later."""
    inside = threading.Event()

    def enter():
        with way_in(device):
            inside.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    return inside, thread


@pytest.mark.parametrize("other", [ON_CUDA, ON_THE_OTHER, ON_TENSORRT])
def test_runs_share_gpus(other):
    with using(ON_CUDA):
        inside, thread = entered(using, other)
        assert inside.wait(300)
    thread.join(300)


@pytest.mark.parametrize("way_in", [using, capturing])
@pytest.mark.parametrize("other", [ON_CUDA, ON_THE_OTHER, ON_TENSORRT])
def test_a_capture_is_alone_whatever_the_gpu(way_in, other):
    with capturing(ON_CUDA):
        inside, thread = entered(way_in, other)
        with using(ON_CPU):  # a CPU never waits
            assert not inside.is_set()
    assert inside.wait(300)
    thread.join(300)


@pytest.mark.parametrize("way_in", [using, capturing])
@pytest.mark.parametrize("said", STICKY)
def test_an_error_that_stays_loses_the_device(way_in, said):
    with pytest.raises(DeviceLostError) as caught, way_in(ON_CUDA):
        raise RuntimeError(said)
    assert str(caught.value) == f"the GPU is in an error that only a new process ends: {said}"


@pytest.mark.parametrize("said", PASSING)
def test_an_error_that_goes_is_what_it_was(said):
    with pytest.raises(RuntimeError, match="^" + said), using(ON_CUDA):
        raise RuntimeError(said)


@pytest.mark.parametrize("said", NO_CODE)
@pytest.mark.parametrize(("number", "name"), [(1, "Paper B200 (compute capability 10.0)"), (0, "this GPU")])
def test_a_gpu_without_code_is_named(monkeypatch, said, number, name):
    monkeypatch.setattr(devices, "gpus", lambda: [Gpu(1, "Paper B200", (10, 0))])
    with pytest.raises(RuntimeUnavailableError) as caught, using(replace(ON_CUDA, number=number)):
        raise RuntimeError(said)
    assert str(caught.value) == f"onnxruntime {ort.__version__} has no code for {name}"


def test_an_error_that_stays_is_known_by_its_cause():
    with pytest.raises(DeviceLostError), using(ON_CUDA):
        raise RuntimeUnavailableError("cannot load embed.onnx") from RuntimeError(STICKY[0])


def test_on_a_cpu_nothing_is_lost():
    with pytest.raises(RuntimeError, match="CUDA failure 700"), using(ON_CPU):
        raise RuntimeError(STICKY[0])


def test_sessions_of_a_lost_device_are_never_destroyed(monkeypatch):
    """Their destructors would end the process."""
    destroyed = []

    class Session:
        def __del__(self):
            destroyed.append(self)

    monkeypatch.setattr(module, "_SESSIONS", module.WeakSet())
    opened(session := Session())
    del session
    assert len(destroyed) == 1
    destroyed.clear()
    opened(session := Session())
    with pytest.raises(DeviceLostError), using(ON_CUDA):
        raise RuntimeError(STICKY[0])
    del session
    assert destroyed == []
