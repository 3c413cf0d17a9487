"""Devices: where sessions can run on this machine, and in which precision."""

from __future__ import annotations

import importlib.util
import io
import os
import re
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import Final

import onnxruntime as ort

from polyseme.artifact import Artifact, Precision
from polyseme.runtime.engines.device import CPU as CPU
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.gpus import Gpu, gpus
from polyseme.runtime.errors import RuntimeUnavailableError, first_line

CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

_NOT_LOADED: Final = re.compile(r"^Failed to load (lib\S+): ", re.MULTILINE)
_NEEDED: Final = ("libcublas", "libcudart")  # by every build; what others are missing shows when they are needed


def choose_devices(wanted: str, artifact: Artifact) -> tuple[Device, ...]:
    """Pick the execution provider: CUDA where it works, else CPU.

    Args:
        wanted: `auto` (the first GPU, else CPU, saying so), `cpu`, `cuda` (the first GPU or an error), or GPUs by their
            numbers: `cuda:0,1`; `tensorrt`, `tensorrt:1`: one GPU, through TensorRT.
        artifact: what is to be run; CUDA takes its fp16 files where it has them.

    Raises:
        RuntimeUnavailableError: `cuda` was wanted and is not there, or both onnxruntime builds are installed.
    """
    _refuse_two_builds()
    precisions = artifact.manifest.precisions
    on_cpu = Device(
        execution_provider=CPU, precision=Precision.FP32 if Precision.FP32 in precisions else Precision.FP16
    )
    if wanted == "cpu":
        return (on_cpu,)
    provider = TENSORRT if wanted.startswith("tensorrt") else CUDA
    reason = _why_not(provider)
    if not reason:
        precision = Precision.FP16 if Precision.FP16 in precisions else Precision.FP32
        return tuple(
            Device(execution_provider=provider, precision=precision, number=gpu.number, flash=gpu.has_flash_attention)
            for gpu in _wanted_gpus(wanted)
        )
    if wanted != "auto":
        raise RuntimeUnavailableError(f"device {wanted}: {reason}")
    gpu_was_meant = CUDA in ort.get_available_providers()
    return (Device(execution_provider=CPU, precision=on_cpu.precision, fell_back=reason if gpu_was_meant else ""),)


def choose_device(wanted: str, artifact: Artifact) -> Device:
    """Choose the first of `choose_devices`.

    Raises:
        RuntimeUnavailableError: as `choose_devices`.
    """
    return choose_devices(wanted, artifact)[0]


def without_code(device: Device) -> str:
    """Say by name that this build of onnxruntime was not compiled for a GPU."""
    gpu = next((one for one in gpus() if one.number == device.number), None)
    name = f"{gpu.name} (compute capability {gpu.capability[0]}.{gpu.capability[1]})" if gpu else "this GPU"
    return f"onnxruntime {ort.__version__} has no code for {name}"


def _wanted_gpus(wanted: str) -> list[Gpu]:
    there = gpus() or [Gpu(0, "unknown", (0, 0))]
    numbers = [int(number) for number in wanted.partition(":")[2].split(",") if number] or [there[0].number]
    chosen = [gpu for number in numbers for gpu in there if gpu.number == number]
    if len(chosen) < len(numbers):
        raise RuntimeUnavailableError(f"device {wanted}: there are GPUs 0..{len(there) - 1}")
    return chosen


def _why_not(provider: str) -> str:
    """Why a GPU's provider cannot be had; empty where it can. Loads CUDA's libraries."""
    name = "TensorRT" if provider == TENSORRT else "CUDA"
    if provider not in ort.get_available_providers():
        return f"this onnxruntime has no {name} provider: pip install 'polyseme[gpu]'"
    if not os.path.exists("/dev/nvidiactl") and not os.path.exists("/dev/dxg"):  # noqa: PTH110
        return f"onnxruntime has the {name} provider, but this machine shows no NVIDIA device"
    try:
        missing = _load_libraries()
    except Exception as error:
        return f"onnxruntime {ort.__version__} cannot load CUDA's libraries: {first_line(error)}"
    if missing:
        return (
            f"onnxruntime {ort.__version__} cannot load {', '.join(missing)}: pip install 'polyseme[gpu]', "
            "which brings CUDA's libraries, or put them where the loader finds them"
        )
    return ""


def _load_libraries() -> list[str]:
    """Load CUDA's libraries for onnxruntime; gives those that are needed and cannot be found."""
    missing = _preload(None)
    if missing:
        for folder in _library_folders():
            _preload(folder)
        missing = _preload(None)
    return missing


def _preload(folder: Path | None) -> list[str]:
    said = io.StringIO()
    with redirect_stdout(said):  # it prints what it cannot load
        ort.preload_dlls() if folder is None else ort.preload_dlls(directory=str(folder))
    return [name for name in _NOT_LOADED.findall(said.getvalue()) if name.startswith(_NEEDED)]


def _library_folders() -> list[Path]:
    """Those of NVIDIA's packages, wherever they are: onnxruntime itself looks beside its own package alone."""
    spec = importlib.util.find_spec("nvidia")
    places = spec.submodule_search_locations if spec else None
    return [folder for place in places or () for folder in sorted(Path(place).glob("*/lib"))]


def _refuse_two_builds() -> None:
    """Both builds in one folder lie over each other, and pip says nothing: what runs then is whichever came last.

    In folders of their own the first on the path is what runs.
    """
    folders = [
        {Path(str(one.locate_file("onnxruntime"))).resolve() for one in metadata.distributions(name=name)}
        for name in ("onnxruntime", "onnxruntime-gpu")
    ]
    if set.intersection(*folders):
        raise RuntimeUnavailableError(
            "both onnxruntime and onnxruntime-gpu are installed, over each other: "
            "pip uninstall both, then install polyseme[server] or polyseme[gpu]"
        )
