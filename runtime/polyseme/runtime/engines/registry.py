"""The engines there are, and which of them runs an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from polyseme.artifact import Artifact
from polyseme.runtime.engines.base import Engine
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CUDA
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.errors import RuntimeUnavailableError, first_line

_HEAD_STEP: Final = 8  # elements: FlashAttention takes heads of 8, 16, ... 256, and onnxruntime others by kernels that
_WIDEST_HEAD: Final = 256  # read where each token lies, which packed batches leave out


def make_engine(
    artifact: Artifact,
    devices: Sequence[Device],
    *,
    intra_op_threads: int = 1,
    lone_threads: int = 1,
    engine_cache: Path | None = None,
) -> Engine:
    """Make the engine for an artifact on some devices: packed where both can, else padded on one.

    Args:
        artifact: what is to be run.
        devices: where.
        intra_op_threads: as `PaddedEngine` takes it.
        lone_threads: the same.
        engine_cache: the same.

    Raises:
        RuntimeUnavailableError: onnxruntime refuses a graph or the device, or there are several and it would be padded.
    """
    try:
        if _packs(artifact, devices):
            from polyseme.runtime.engines.onnxruntime.packed import PackedEngine

            return PackedEngine(artifact, devices)
        return PaddedEngine(
            artifact,
            devices[0],
            intra_op_threads=intra_op_threads,
            lone_threads=lone_threads,
            engine_cache=engine_cache,
        )
    except RuntimeUnavailableError:
        raise
    except Exception as error:
        if devices[0].kind == "cpu":
            raise
        raise RuntimeUnavailableError(
            f"{devices[0].execution_provider} cannot start {artifact.manifest.name}: {first_line(error)}"
        ) from error


def _packs(artifact: Artifact, devices: Sequence[Device]) -> bool:
    first = devices[0]
    if first.execution_provider == CUDA and first.flash and _has_flash_attention(artifact, first):
        return True
    if len(devices) > 1:
        raise RuntimeUnavailableError(f"{artifact.manifest.name} runs padded, which takes 1 GPU; got {len(devices)}")
    return False


def _has_flash_attention(artifact: Artifact, device: Device) -> bool:
    """Tell whether there are packed graphs with heads of a size that FlashAttention takes."""
    encoder = artifact.manifest.model.encoder
    head = encoder.hidden_size // encoder.num_attention_heads
    return (
        bool(artifact.manifest.precisions[device.precision].packed) and not head % _HEAD_STEP and head <= _WIDEST_HEAD
    )
