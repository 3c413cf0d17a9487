"""Texts through TensorRT, which builds an engine of its own from the graph in ONNX's own operators.

It builds for ranges of shapes, in minutes; engines are kept in a folder. onnxruntime names them by the structure of the
graph alone, so that two models of equal sizes would get each other's (microsoft/onnxruntime#6455): each version of an
artifact has a folder of its own.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from polyseme.artifact import Artifact, Precision
from polyseme.artifact.graphs import INPUT_IDS, LENGTHS, POSITION_IDS
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CUDA, TENSORRT
from polyseme.runtime.engines.onnxruntime.padded_session import Session, providers_of
from polyseme.runtime.errors import RuntimeUnavailableError

MOST_TEXTS: Final = 64
"""Texts of a batch: the engine has memory for so many of the longest."""

_USUAL: Final = (16, 128)  # texts and tokens, for which kernels are chosen


def tensorrt_session(artifact: Artifact, device: Device, cache: Path | None) -> Session:
    """Make a session for texts; TensorRT runs no tokens and spans.

    Args:
        artifact: exported for TensorRT.
        device: as `choose_device` gave it.
        cache: a folder for engines; None: they are built in every start.

    Raises:
        RuntimeUnavailableError: the artifact has no such graph, TensorRT's libraries are not there, or it refuses.
    """
    if not artifact.manifest.precisions[device.precision].standard:
        raise RuntimeUnavailableError(
            f"device tensorrt: {artifact.manifest.name} has no graph for it: polyseme export --tensorrt"
        )
    with suppress(ImportError):  # the package brings the libraries, and loads them where onnxruntime finds them
        importlib.import_module("tensorrt")
    on_cuda = providers_of(replace(device, execution_provider=CUDA))
    providers = [(TENSORRT, provider_options(artifact, device, cache)), *on_cuda]
    return Session(artifact, device, weights={}, standard=True, providers=providers)


def provider_options(artifact: Artifact, device: Device, cache: Path | None) -> dict[str, str]:
    """Make the options of onnxruntime's TensorRT provider.

    Source: onnxruntime, TensorRT Execution Provider, Configurations.
    """
    most = artifact.manifest.model.max_tokens
    rows = [INPUT_IDS, POSITION_IDS] if artifact.manifest.model.encoder.positions_are_given else [INPUT_IDS]
    shapes = {"min": (1, 1), "opt": (_USUAL[0], min(_USUAL[1], most)), "max": (MOST_TEXTS, most)}
    options = {
        "device_id": str(device.number),
        "trt_fp16_enable": "1" if device.precision is Precision.FP16 else "0",
        **{
            f"trt_profile_{name}_shapes": ",".join([*(f"{row}:{texts}x{tokens}" for row in rows), f"{LENGTHS}:{texts}"])
            for name, (texts, tokens) in shapes.items()
        },
    }
    if cache is None:
        return options
    folder = str(cache / artifact.manifest.version)
    return options | {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": folder,
    }
