"""Load, run once, and say which attention kernels ran: whether the design works at all."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime as ort
from bench.gpu.lib import engines
from bench.gpu.lib.device_memory import settled_mib, used_mib
from bench.gpu.lib.setting import Setting, random_ids
from bench.lib.machine import versions

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.engines.onnxruntime.devices import choose_device
from polyseme.runtime.engines.onnxruntime.gpus import gpus

_LENGTHS = [3, 60, 200, 300]


def run(setting: Setting) -> None:
    record = setting.record
    record.note(
        f"onnxruntime {ort.__version__} from {Path(ort.__file__).parent.parent.name}, Python {sys.version.split()[0]}"
    )
    record.note(versions("torch", "transformers", "sentence-transformers", "numpy", "grpcio", "protobuf"))
    record.note(f"GPUs: {', '.join(f'{gpu.name} {gpu.capability}' for gpu in gpus()) or 'none'}; {_driver()}")
    os.environ["ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO"] = "1"
    for name, artifact in setting.each():
        with record.attempt(f"choosing a device for {name}"):
            device = choose_device(setting.kind, artifact)
            record.note(f"{name} gets {device.execution_provider}, {device.precision.value}, flash={device.flash}")
        for form in ("packed", "replayed", "padded"):
            with record.attempt(f"{name} {form}"):
                _load(setting, name, artifact, form)


def _load(setting: Setting, name: str, artifact: Artifact, form: str) -> None:
    before, begin = settled_mib(), perf_counter()
    engine: Any = engines.engine(form, artifact, setting.device)
    loaded, memory = perf_counter() - begin, used_mib() - before
    batch = engine.collate(random_ids(artifact, _LENGTHS))
    with printed() as lines:
        times = []
        for _ in range(3):
            begin = perf_counter()
            (vectors,) = engine.run(Variant.EMBED, batch, [NORMALIZED])
            times.append(perf_counter() - begin)
    norms = np.linalg.norm(vectors, axis=1)
    kernels = sorted({match for line in lines for match in re.findall(r"SdpaKernel=(\w+)", line)})
    setting.record.add(
        "load",
        model=name,
        engine=form,
        load_s=loaded,
        MiB=memory,
        first_ms=times[0] * 1e3,
        third_ms=times[2] * 1e3,
        norms=f"{norms.min():.4f}..{norms.max():.4f}",
        attention=", ".join(kernels) or "not told",
    )
    engine.close()


@contextmanager
def printed() -> Iterator[list[str]]:
    """What libraries print meanwhile, which is not Python's to see."""
    lines: list[str] = []
    sys.stdout.flush()
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield lines
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()
            print("\n".join(lines), flush=True)


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version,memory.total,clocks.max.sm", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "nvidia-smi does not answer"
