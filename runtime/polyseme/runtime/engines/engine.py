"""What runs batches: sessions of both variants over one layout, on one device or several.

PaddedEngine   any device, TensorRT too; sessions are shared by the threads that call
PackedEngine   CUDA in fp16; each lane is a thread with sessions of its own, as captured runs belong to a thread
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact, Layout, Variant
from polyseme.artifact.graphs import whole
from polyseme.runtime.access import using
from polyseme.runtime.batches.packed import Bucket, PackedBatch, pack
from polyseme.runtime.batches.padded import Batch, Ids, collate
from polyseme.runtime.batches.selection import Selection
from polyseme.runtime.engines.onnxruntime.bound import BoundSession
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, TENSORRT, Device
from polyseme.runtime.engines.onnxruntime.session import Session, load_weights
from polyseme.runtime.engines.onnxruntime.tensorrt import MOST_TEXTS, tensorrt_session
from polyseme.runtime.errors import RuntimeUnavailableError, first_line
from polyseme.runtime.hosts import Host

T = TypeVar("T")
AnyBatch: TypeAlias = Batch | PackedBatch

BUCKET_TOKENS = (16, 32, 64, 128, 256, 512, 1024)
"""Shapes that packed engines prepare for, in tokens: where the host is slower than the device."""

_LANES_PER_GPU = 2  # while one runs, the other collates and copies


class Engine(Protocol):
    """Collates and runs."""

    @property
    def devices(self) -> Sequence[Device]:
        """Where it runs; one precision and provider."""

    @property
    def lanes(self) -> int:
        """How many batches it can run side by side; 0 where that is up to the caller."""

    @property
    def hosts(self) -> Sequence[Host]:
        """Threads of its own, on which batches are run at once and from others by a hand-over; none: any will do."""

    @property
    def most_texts(self) -> int:
        """How many texts a batch may have; 0: any number."""

    def collate(self, sequences: Sequence[Ids]) -> AnyBatch:
        """Put texts of token ids together."""

    def run(
        self,
        variant: str,
        batch: Any,  # noqa: ANN401  what collate gave
        outputs: Sequence[str],
        selection: Selection | None = None,
    ) -> list[npt.NDArray[Any]]:
        """Run one of the engine's batches; one array per output. Releases the GIL while the device works.

        Outputs may be asked for in float16 (`graphs.half`), in which what is too large for it is infinite.

        Raises:
            DeviceLostError: the device will run nothing any more.
        """

    def close(self) -> None:
        """Run nothing any more, and give back the memory of the device."""


class PaddedEngine:
    """Texts in rows of their own."""

    hosts: Sequence[Host] = ()

    def __init__(
        self, artifact: Artifact, device: Device, *, intra_op_threads: int = 1, engine_cache: Path | None = None
    ) -> None:
        """Load both graphs over one copy of the weights. TensorRT has one of its own, and runs texts alone.

        Args:
            artifact: what is to be run.
            device: where.
            intra_op_threads: of one run, on a CPU.
            engine_cache: a folder in which TensorRT keeps what it builds.

        Raises:
            RuntimeUnavailableError: onnxruntime refuses a graph or the device.
        """
        self.devices = (device,)
        self.lanes = 0 if device.execution_provider == CPU else 1  # every thread that calls would have a stream
        self.most_texts = 0
        self._spec = artifact.manifest.model
        self.sessions: dict[str, Session] = {}
        if device.execution_provider == TENSORRT:
            self.most_texts = MOST_TEXTS
            self.sessions[Variant.EMBED] = tensorrt_session(artifact, device, engine_cache)
            device = replace(device, execution_provider=CUDA)
        weights = load_weights(artifact, device)
        for variant in Variant:
            if variant not in self.sessions:
                self.sessions[variant] = Session(
                    artifact, device, variant, weights=weights, intra_op_threads=intra_op_threads
                )

    def collate(self, sequences: Sequence[Ids]) -> Batch:
        """Pad to the longest."""
        return collate(sequences, self._spec.encoder.pad_token_id, self._spec.encoder.padding_idx)

    def run(
        self, variant: str, batch: Batch, outputs: Sequence[str], selection: Selection | None = None
    ) -> list[npt.NDArray[Any]]:
        """Run on the calling thread."""
        names = list(dict.fromkeys(map(whole, outputs)))
        arrays = dict(zip(names, self.sessions[variant].run(batch, names, selection), strict=True))
        return [arrays[name] if name in arrays else _halved(arrays[whole(name)]) for name in outputs]

    def close(self) -> None:
        """Leave the sessions to whoever still runs one."""
        with using(self.devices[0]):
            self.sessions = {}


class PackedEngine:
    """Texts one after another. A batch is run by whichever lane is free; one waits where none is."""

    most_texts = 0

    def __init__(
        self,
        artifact: Artifact,
        devices: Sequence[Device],
        *,
        lanes_per_device: int = _LANES_PER_GPU,
        buckets: Sequence[int] = BUCKET_TOKENS,
        twins: Mapping[str, bytes] | None = None,
    ) -> None:
        """Load both graphs for every lane, over one copy of the weights per device, and prepare the buckets.

        Args:
            artifact: one that has packed graphs.
            devices: of one precision and provider.
            lanes_per_device: how many batches a device is given at once.
            buckets: tokens of the shapes that are prepared for.
            twins: graphs to run in place of the artifact's, on a CPU.

        Raises:
            RuntimeUnavailableError: onnxruntime refuses a graph or the device.
        """
        self.devices = tuple(devices)
        self._lanes: list[_Lane] = []
        self._by_thread: dict[int, _Lane] = {}
        self._free: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
        self._padding_idx = artifact.manifest.model.encoder.padding_idx
        shapes = [Bucket.of(tokens, artifact.manifest.model.max_tokens) for tokens in buckets]
        try:
            for device in devices:
                weights = load_weights(artifact, device, Layout.PACKED)
                for i in range(lanes_per_device):
                    lane = _Lane(f"lane-{device.number}-{i}", device)
                    self._lanes.append(lane)
                    self._by_thread[lane.call(threading.get_ident)] = lane
                    lane.call(lane.load, artifact, weights, shapes, twins or {})
                    self._free.put(lane)
        except BaseException:
            self.close()
            raise

    @property
    def lanes(self) -> int:
        """Those of all devices."""
        return len(self._lanes)

    @property
    def hosts(self) -> Sequence[Host]:
        """The lanes' threads."""
        return [lane.begin for lane in self._lanes]

    def collate(self, sequences: Sequence[Ids]) -> PackedBatch:
        """Put texts one after another."""
        return pack(sequences, self._padding_idx)

    def run(
        self, variant: str, batch: PackedBatch, outputs: Sequence[str], selection: Selection | None = None
    ) -> list[npt.NDArray[Any]]:
        """Run on the calling thread if that is a lane's; else on a lane's that is not lent to anyone."""
        own = self._by_thread.get(threading.get_ident())
        if own is not None:
            return own.sessions[variant].run(batch, outputs, selection)
        lane = self._free.get()
        try:
            return lane.call(lane.sessions[variant].run, batch, outputs, selection)
        finally:
            self._free.put(lane)

    def close(self) -> None:
        """End the lanes' threads, each after its run."""
        for lane in self._lanes:
            lane.end()


class _Lane:
    """A thread, and the sessions that belong to it."""

    def __init__(self, name: str, device: Device) -> None:
        self.sessions: dict[str, BoundSession] = {}
        self._device = device
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._calls = queue.SimpleQueue()
        # A daemon: a device that hangs must not keep the process from ending.
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401  whatever the function takes
        """Call a function on the lane's thread, and wait for what it gives or raises."""
        future = self.begin(function, *arguments)
        try:
            return future.result()
        finally:
            # An error's traceback has this frame, and the future has the error: what it holds on the device would wait
            # for the garbage collector, which frees at any time and on any thread.
            del future

    def begin(self, function: Callable[..., T], *arguments: Any) -> Future[T]:  # noqa: ANN401
        """Call a function on the lane's thread, after those before it."""
        future: Future[T] = Future()
        self._calls.put((future, function, arguments))
        return future

    def end(self) -> None:
        """End the thread, and what belongs to it."""
        self._calls.put(None)

    def load(
        self,
        artifact: Artifact,
        weights: Mapping[str, Any],
        buckets: Sequence[Bucket],
        twins: Mapping[str, bytes],
    ) -> None:
        """Make the sessions; on the lane's thread."""
        for variant in Variant:
            shapes = buckets if variant is Variant.EMBED else ()
            self.sessions[variant] = BoundSession(
                artifact, self._device, variant, weights=weights, buckets=shapes, twin=twins.get(variant)
            )

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function, arguments = call
            try:
                result = function(*arguments)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del call, future, function, arguments  # nothing is kept while the lane waits
        with using(self._device):
            self.sessions = {}


def _halved(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


def make_engine(
    artifact: Artifact, devices: Sequence[Device], *, intra_op_threads: int = 1, engine_cache: Path | None = None
) -> Engine:
    """The engine for an artifact on some devices: packed where both can, else padded on one.

    Raises:
        RuntimeUnavailableError: onnxruntime refuses a graph or the device, or there are several and it would be padded.
    """
    try:
        return _engine(artifact, devices, intra_op_threads, engine_cache)
    except RuntimeUnavailableError:
        raise
    except Exception as error:
        if devices[0].kind == "cpu":
            raise
        raise RuntimeUnavailableError(
            f"{devices[0].execution_provider} cannot start {artifact.manifest.name}: {first_line(error)}"
        ) from error


def _engine(artifact: Artifact, devices: Sequence[Device], intra_op_threads: int, engine_cache: Path | None) -> Engine:
    first = devices[0]
    if first.execution_provider == CUDA and first.flash and artifact.manifest.precisions[first.precision].packed:
        return PackedEngine(artifact, devices)
    if len(devices) > 1:
        raise RuntimeUnavailableError(f"{artifact.manifest.name} runs padded, which takes 1 GPU; got {len(devices)}")
    return PaddedEngine(artifact, first, intra_op_threads=intra_op_threads, engine_cache=engine_cache)
