"""The NVIDIA GPUs of a machine, as its driver tells them; no CUDA context is made."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Final

_MAJOR: Final = 75
_MINOR: Final = 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*; source: cuda.h


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        number: as CUDA counts, within CUDA_VISIBLE_DEVICES.
        name: as the driver calls it.
        capability: major and minor, (9, 0) for Hopper.
    """

    number: int
    name: str
    capability: tuple[int, int]

    @property
    def has_flash_attention(self) -> bool:
        """True where onnxruntime's FlashAttention runs on it: Ampere and later."""
        return self.capability >= (8, 0)


def gpus() -> list[Gpu]:
    """Those there are; none where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return [_gpu(driver, number) for number in range(count.value)]


def _gpu(driver: ctypes.CDLL, number: int) -> Gpu:
    device, value, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), number)
    driver.cuDeviceGetName(name, len(name), device)
    capability = []
    for attribute in (_MAJOR, _MINOR):
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(value.value)
    return Gpu(number, name.value.decode(errors="replace"), (capability[0], capability[1]))
