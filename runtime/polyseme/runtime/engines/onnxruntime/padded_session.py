"""Sessions over an artifact's graphs and shared weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from polyseme.artifact import Artifact, Layout, Variant
from polyseme.runtime.batches.padded import Batch
from polyseme.runtime.batches.selection import TokenSelection
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.access import opened, using
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA
from polyseme.runtime.errors import RuntimeUnavailableError, first_line

_ERRORS: Final = 3  # onnxruntime's severity; warnings are 2

Providers: TypeAlias = list[str | tuple[str, dict[str, str]]]
"""Execution providers with their options, the first that can run a node before the others."""


class Session:
    """One graph of an artifact, ready to run. Thread-safe: several runners share it and its weights."""

    def __init__(
        self,
        artifact: Artifact,
        device: Device,
        variant: str = Variant.EMBED,
        *,
        weights: Mapping[str, ort.OrtValue] | None = None,
        intra_op_threads: int = 1,
        standard: bool = False,
        providers: Providers | None = None,
    ) -> None:
        """Load a graph.

        Args:
            artifact: checked by `Artifact.open`.
            device: as `choose_device` gave it.
            variant: which graph.
            weights: what `load_weights` gave, where several sessions share them; default: this session's own.
            intra_op_threads: threads of one run. 1 with one runner per core measured fastest under load.
            standard: take the `embed` graph in ONNX's own operators.
            providers: default: those of the device.

        Raises:
            RuntimeUnavailableError: onnxruntime refuses the graph or the device.
        """
        self.device = device
        self._weights = load_weights(artifact, device) if weights is None else weights
        entry = artifact.manifest.precisions[device.precision]
        graph = artifact.path(entry.standard if standard else entry.graphs[variant])
        options = session_options(intra_op_threads)
        for name, value in self._weights.items():
            options.add_initializer(name, value)
        with using(device):
            self._session = open_session(graph.name, graph, device, options, providers or providers_of(device))

    def run(
        self, batch: Batch, outputs: Sequence[str], selection: TokenSelection | None = None
    ) -> list[npt.NDArray[Any]]:
        """Run the graph once. Releases the GIL.

        Args:
            batch: ids must lie within the vocabulary: CUDA kernels do not check.
            outputs: names from `polyseme.artifact.graphs`, of this session's variant.
            selection: the further inputs of the `layers` variant; positions must lie within the batch.

        Returns:
            One array per output name, in their order, of the shapes in `polyseme.artifact.graphs`.
        """
        feeds = batch.feeds() if selection is None else {**batch.feeds(), **selection.feeds()}
        with using(self.device):
            result: list[npt.NDArray[Any]] = self._session.run(list(outputs), feeds)
        return result


def load_weights(artifact: Artifact, device: Device, layout: Layout = Layout.PADDED) -> dict[str, ort.OrtValue]:
    """Put the initializers of a layout's graphs on a device, for its sessions to share.

    On a CPU they stay memory-mapped: nothing is copied.

    Raises:
        RuntimeUnavailableError: the device has no room for them, or onnxruntime cannot reach it.
    """
    return put_weights(artifact.weights(device.precision, layout), device)


def put_weights(tensors: Mapping[str, npt.NDArray[np.generic]], device: Device) -> dict[str, ort.OrtValue]:
    """Put arrays of any shape on a device, as initializers that sessions do not copy.

    Raises:
        RuntimeUnavailableError: as `load_weights`.
    """
    if device.kind == "cpu":
        return {name: ort.OrtValue.ortvalue_from_numpy(tensor) for name, tensor in tensors.items()}
    try:
        with using(device):
            return {name: _lent(tensor, device) for name, tensor in tensors.items()}
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise RuntimeUnavailableError(
            f"onnxruntime {ort.__version__} cannot put weights on {device.kind}:{device.number}: {first_line(error)}"
        ) from error


def _lent(tensor: npt.NDArray[np.generic], device: Device) -> ort.OrtValue:
    """Make a value on the device that does not own its memory, as `add_initializer` asks; it keeps the owner alive."""
    return ort.OrtValue.from_dlpack(ort.OrtValue.ortvalue_from_numpy(tensor, device.kind, device.number))


def run_each(
    graph: Path, feeds: Iterable[Mapping[str, npt.NDArray[Any]]], outputs: Sequence[str]
) -> Iterator[list[npt.NDArray[Any]]]:
    """Run any graph on one batch after the other, on all cores of the CPU.

    Args:
        graph: its file.
        feeds: the inputs of each batch by name, of the shapes that the graph takes.
        outputs: names of the graph's outputs.
    """
    session = ort.InferenceSession(str(graph), session_options(0), providers=[CPU])
    for batch in feeds:
        yield session.run(list(outputs), dict(batch))


def runtime_version() -> str:
    """Give the version of onnxruntime."""
    return str(ort.__version__)


def session_options(intra_op_threads: int) -> ort.SessionOptions:
    """Make the options that every session is opened with; 0 threads: one per core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    # Shapes differ from run to run: blocks that were laid out for one of them leave gaps that the others do not fit.
    options.enable_mem_pattern = False
    # Threads that spin while they wait take the core from the next batch's tokenizer and from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS
    return options


def open_session(
    name: str, graph: Path | bytes, device: Device, options: ort.SessionOptions, providers: Providers
) -> ort.InferenceSession:
    """Load a graph, or say in one line why it cannot be.

    Args:
        name: what messages call the graph.
        graph: its file, or its content.
        device: where it is to run.
        options: as `session_options` gave them, and what was added.
        providers: the device's own first.

    Raises:
        RuntimeUnavailableError: onnxruntime refuses the graph or the device.
    """
    if device.kind == "cuda":
        # Else it warns, for each session, that CUDA's provider is no plugin.
        ort.set_default_logger_severity(_ERRORS)
    try:
        session = ort.InferenceSession(graph if isinstance(graph, bytes) else str(graph), options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise RuntimeUnavailableError(
            f"onnxruntime {ort.__version__} cannot load {name} on {device.execution_provider}: {first_line(error)}"
        ) from error
    if session.get_providers()[0] != device.execution_provider:  # it falls back with no more than a log line
        raise RuntimeUnavailableError(
            f"onnxruntime {ort.__version__} cannot start {device.execution_provider}: its libraries cannot be loaded"
        )
    if device.kind == "cuda":
        opened(session)
    return session


def providers_of(device: Device) -> Providers:
    """Give the providers of a device: the CPU, or CUDA with the CPU for operators that CUDA lacks.

    CUDA computes fp32 in fp32; onnxruntime's default is TF32.
    """
    if device.execution_provider == CUDA:
        options = {
            "device_id": str(device.number),
            "arena_extend_strategy": "kSameAsRequested",
            "use_tf32": "0",
        }
        return [(CUDA, options), CPU]
    return [CPU]
