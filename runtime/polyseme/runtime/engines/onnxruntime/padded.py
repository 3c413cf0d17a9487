"""The engine of padded texts: any device, TensorRT too. Sessions are shared by the threads that call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import in_float32
from polyseme.runtime.batches.padded import Batch, Ids, collate
from polyseme.runtime.batches.selection import TokenSelection
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.engines.base import Traits
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.hosts import Host
from polyseme.runtime.engines.onnxruntime.access import using
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, TENSORRT
from polyseme.runtime.engines.onnxruntime.padded_session import Session, load_weights
from polyseme.runtime.engines.onnxruntime.tensorrt import MOST_TEXTS, tensorrt_session


class PaddedEngine:
    """Texts in rows of their own."""

    hosts: Sequence[Host] = ()

    def __init__(
        self,
        artifact: Artifact,
        device: Device,
        *,
        intra_op_threads: int = 1,
        lone_threads: int = 1,
        engine_cache: Path | None = None,
    ) -> None:
        """Load both graphs over one copy of the weights. TensorRT has one of its own, and runs texts alone.

        Args:
            artifact: what is to be run.
            device: where.
            intra_op_threads: of one run, on a CPU.
            lone_threads: of one run of `embed` that is alone, on a CPU; what exceeds `intra_op_threads` takes a session
                beside the other, and another copy of the weights as onnxruntime packs them.
            engine_cache: a folder in which TensorRT keeps what it builds.

        Raises:
            RuntimeUnavailableError: onnxruntime refuses a graph or the device.
        """
        self.devices = (device,)
        self.traits = _traits(device)
        self._spec = artifact.manifest.model
        self.sessions: dict[str, Session] = {}
        if device.execution_provider == TENSORRT:
            self.sessions[Variant.EMBED] = tensorrt_session(artifact, device, engine_cache)
            device = replace(device, execution_provider=CUDA)
        weights = load_weights(artifact, device)
        for variant in Variant:
            if variant not in self.sessions:
                self.sessions[variant] = Session(
                    artifact, device, variant, weights=weights, intra_op_threads=intra_op_threads
                )
        self._wide: dict[str, Session] = {}
        if device.kind == "cpu" and lone_threads > intra_op_threads > 0:
            self._wide[Variant.EMBED] = Session(
                artifact, device, Variant.EMBED, weights=weights, intra_op_threads=lone_threads
            )

    def collate(self, sequences: Sequence[Ids]) -> Batch:
        """Pad to the longest; on CUDA to a multiple of 8, without which it has no fused attention with a bias."""
        encoder = self._spec.encoder
        multiple = 8 if self.devices[0].execution_provider == CUDA else 1
        return collate(
            sequences,
            encoder.pad_token_id,
            encoder.padding_idx,
            types=TokenTypes.of(encoder),
            multiple=multiple,
            most=self._spec.max_tokens,
        )

    def run(
        self,
        variant: str,
        batch: Batch,
        outputs: Sequence[str],
        selection: TokenSelection | None = None,
        alone: bool = False,
    ) -> list[npt.NDArray[Any]]:
        """Run on the calling thread; a batch that is alone, in the wide session where there is one. See `Engine.run`.

        Returns:
            One array per output; `polyseme.artifact.graphs` has their shapes.
        """
        names = list(dict.fromkeys(map(in_float32, outputs)))
        session = self._wide.get(variant) if alone else None
        arrays = dict(zip(names, (session or self.sessions[variant]).run(batch, names, selection), strict=True))
        return [arrays[name] if name in arrays else _to_float16(arrays[in_float32(name)]) for name in outputs]

    def close(self) -> None:
        """Leave the sessions to whoever still runs one."""
        with using(self.devices[0]):
            self.sessions = self._wide = {}


def _traits(device: Device) -> Traits:
    if device.execution_provider == CPU:
        # Short texts gain by company, up to 160 tokens or so; beyond, it saves little: bench/results/lone-caller.md.
        # The first run of a shape costs what later ones do: bench/results/first-runs.md.
        return Traits(
            pads=True,
            lanes=0,
            shares_threads=True,
            batch_tokens=160,
            batch_texts=16,
            queue_tokens=1 << 16,
            least_fill=0.9,
            adapts_to_shapes=False,
        )
    return Traits(
        pads=True,
        lanes=1,  # every thread that calls would have a stream
        shares_threads=False,
        batch_tokens=1 << 15,
        batch_texts=1024,
        queue_tokens=1 << 20,
        most_texts=MOST_TEXTS if device.execution_provider == TENSORRT else 0,
        least_fill=0.75,
    )


def _to_float16(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        return array.astype(np.float16)
