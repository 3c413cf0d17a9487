"""What onnxruntime's CUDA provider is linked to, found and loaded as a server does it; run inside of the cuda image.

A library that is missing, or that lacks a symbol, ends it. The driver's own, libcuda, is the
host's, and has to be somewhere.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import onnxruntime


def main() -> None:
    """Load them, and print which they are."""
    onnxruntime.preload_dlls()
    folder = Path(onnxruntime.__file__).parent / "capi"
    for name in ("libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"):
        ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
    loaded = {line.split(None, 5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    ours = sorted(path for path in loaded if "/nvidia/" in path)
    for path in ours:
        print(f"{Path(path).stat().st_size / 1e6:7.1f} MB  {path.rpartition('/nvidia/')[2]}")
    print(f"onnxruntime {onnxruntime.__version__}: its CUDA provider is loaded")


main()
