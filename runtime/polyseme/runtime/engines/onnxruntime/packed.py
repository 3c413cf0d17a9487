"""The engine of packed texts: CUDA in fp16. Each lane is a thread with sessions of its own.

Captured runs belong to the thread that captured them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy.typing as npt

from polyseme.artifact import Artifact, Layout
from polyseme.runtime.batches.packed import Bucket, PackedBatch, pack
from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.batches.selection import TokenSelection
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.engines.base import Traits
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.hosts import Host
from polyseme.runtime.engines.onnxruntime.lane import Lane
from polyseme.runtime.engines.onnxruntime.padded_session import load_weights

BUCKET_TOKENS: Final = (16, 32, 64, 128, 256, 512, 1024, 2048)
"""Shapes that packed engines prepare for, in tokens: where the host is slower than the device.

On an H200 a replay of 2,048 tokens took BERT-base 1.3 ms, an eager run 1.7 (MiniLM: 0.6 and 1.5). A replay of 4,096
took longer than the eager run of 2,049 that it would stand for: 2.1 ms (bench/results/gpu.md).
"""

_MOST_CELLS: Final = 1 << 20  # texts times longest: 4 bytes of each GPU's scratch memory per head
_LANES_PER_GPU: Final = 2  # while one runs, the other collates and copies


class PackedEngine:
    """Texts one after another. A batch is run by whichever lane is free; one waits where none is."""

    def __init__(
        self,
        artifact: Artifact,
        devices: Sequence[Device],
        *,
        lanes_per_device: int = _LANES_PER_GPU,
        buckets: Sequence[int] = BUCKET_TOKENS,
        cpu_graphs: Mapping[str, bytes] | None = None,
    ) -> None:
        """Load both graphs for every lane, over one copy of the weights per device, and prepare the buckets.

        Args:
            artifact: one that has packed graphs.
            devices: of one precision and provider.
            lanes_per_device: how many batches a device is given at once.
            buckets: tokens of the shapes that are prepared for.
            cpu_graphs: graphs to run in place of the artifact's, on a CPU.

        Raises:
            RuntimeUnavailableError: onnxruntime refuses a graph or the device.
        """
        self.devices = tuple(devices)
        self._lanes: list[Lane] = []
        self._by_thread: dict[int, Lane] = {}
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._padding_idx = artifact.manifest.model.encoder.padding_idx
        self._types = TokenTypes.of(artifact.manifest.model.encoder)
        shapes = [Bucket.of(tokens, artifact.manifest.model.max_tokens) for tokens in buckets]
        try:
            for device in devices:
                weights = load_weights(artifact, device, Layout.PACKED)
                for i in range(lanes_per_device):
                    lane = Lane(f"lane-{device.number}-{i}", device)
                    self._lanes.append(lane)
                    self._by_thread[lane.call(threading.get_ident)] = lane
                    lane.call(lane.load, artifact, weights, shapes, cpu_graphs or {})
                    self._free.put(lane)
        except BaseException:
            self.close()
            raise

    @property
    def traits(self) -> Traits:
        """The lanes of all devices; a GPU is filled by large batches.

        On a CPU runs the graph's CPU form, whose attention takes memory by the square of a batch's tokens.
        """
        on_gpu = self.devices[0].kind == "cuda"
        return Traits(
            pads=False,
            lanes=len(self._lanes),
            shares_threads=False,
            batch_tokens=1 << 15 if on_gpu else 1024,
            batch_texts=1024 if on_gpu else 4,
            queue_tokens=1 << 20 if on_gpu else 1 << 16,
            most_cells=_MOST_CELLS,
            warm_tokens=BUCKET_TOKENS[-1],
        )

    @property
    def hosts(self) -> Sequence[Host]:
        """The lanes' threads."""
        return [lane.begin for lane in self._lanes]

    def collate(self, sequences: Sequence[Ids]) -> PackedBatch:
        """Put texts one after another."""
        return pack(sequences, self._padding_idx, types=self._types)

    def run(
        self,
        variant: str,
        batch: PackedBatch,
        outputs: Sequence[str],
        selection: TokenSelection | None = None,
        alone: bool = False,
    ) -> list[npt.NDArray[Any]]:
        """Run on the calling thread if it is a lane's own; else on the thread of a lane that is not lent out.

        Returns:
            One array per output, as `Engine.run`; `polyseme.artifact.graphs` has their shapes.
        """
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
