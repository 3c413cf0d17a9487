"""The kernels that this onnxruntime-gpu registers for CUDA. As a program: prints them as JSON.

In a process of its own: onnxruntime tells them only where the provider of TensorRT can be loaded, unwanted elsewhere.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True)
class Kernel:
    """One kernel: for a span of an operator's versions, and for some types of each of its type parameters."""

    first: int
    last: int
    types: dict

    def takes(self, since, types):
        """Whether it is for a version, and for the types that a node has."""
        return self.first <= since <= self.last and all(
            set(wanted) <= set(self.types[parameter]) for parameter, wanted in types.items() if parameter in self.types
        )


def registered(folder: Path):
    """Kernels by (domain, operator).

    Args:
        folder: with the fake TensorRT and cuDNN.
    """
    paths = [os.environ["LD_LIBRARY_PATH"], str(folder / "tensorrt"), str(folder / "cudnn")]
    printed = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"LD_LIBRARY_PATH": ":".join(paths)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    kernels = {}
    for domain, name, first, last, types in json.loads(printed):
        kernels.setdefault((domain, name), []).append(Kernel(first, last, types))
    return kernels


def main():
    from onnxruntime.capi import _pybind_state as state

    json.dump(
        [
            ["" if one.domain == "ai.onnx" else one.domain, one.op_name, *one.version_range, dict(one.type_constraints)]
            for one in state.get_all_opkernel_def()
            if one.provider == _CUDA
        ],
        sys.stdout,
    )


if __name__ == "__main__":
    main()
