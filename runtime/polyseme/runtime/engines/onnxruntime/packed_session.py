"""Sessions over packed graphs: inputs in one buffer of the device, copied at once, and small shapes prepared for.

A session of this kind belongs to one thread: its buffers are used again by every run.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from polyseme.artifact import Artifact, Layout, Variant
from polyseme.artifact.graphs import TOKEN_OFFSET
from polyseme.runtime.batches.packed import Bucket, PackedBatch, smallest
from polyseme.runtime.batches.selection import TokenSelection
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.access import capturing, using
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA
from polyseme.runtime.engines.onnxruntime.padded_session import Providers, open_session, session_options

_ALIGNMENT: Final = 64  # elements: 256 bytes, as CUDA's own allocator has it
_LEAST_BUFFER: Final = 1 << 10  # elements
_ELEMENTS: Final = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_EAGER: Final = -1  # the graph id of runs that are neither captured nor replayed

Feeds = Mapping[str, npt.NDArray[Any]]


class PackedSession:
    """One packed graph, ready to run on one thread."""

    def __init__(
        self,
        artifact: Artifact,
        device: Device,
        variant: str = Variant.EMBED,
        *,
        weights: Mapping[str, ort.OrtValue],
        buckets: Sequence[Bucket] = (),
        cpu_graph: bytes | None = None,
    ) -> None:
        """Load a graph, and run it once in the shape of every bucket. On CUDA each of these runs is captured.

        Args:
            artifact: one that has packed graphs.
            device: as `choose_device` gave it.
            variant: which graph.
            weights: what `load_weights` gave for the packed layout.
            buckets: shapes that are prepared for, EMBED only; a batch that fits none is run as it is.
            cpu_graph: the graph to run in place of the artifact's; on a CPU, what
                `polyseme.export.graphs.packed_on_cpu` makes of it.

        Raises:
            RuntimeUnavailableError: onnxruntime refuses the graph or the device.
        """
        self.device = device
        self._weights = weights  # the session reads them where they lie
        self._vocab_size = artifact.manifest.model.encoder.vocab_size
        self._filler = artifact.manifest.model.encoder.pad_token_id
        self._padding_idx = artifact.manifest.model.encoder.padding_idx
        with using(device):
            self._session = _load(artifact, device, variant, weights, cpu_graph, captures=bool(buckets))
        self._unread = _unread_inputs(self._session, device)
        self._eager = _Staging(device)
        self._offsets = _Offsets(device)
        self._eager_options = _run_options(device, _EAGER)
        self._prepared: dict[Bucket, _Prepared] = {}
        for number, bucket in enumerate(sorted(buckets), start=1):
            with using(device):
                prepared = self._prepare(bucket, number)
            with capturing(device):
                prepared.capture()
            self._prepared[bucket] = prepared

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """The shapes that are prepared for, in ascending order."""
        return tuple(self._prepared)

    def run(
        self, batch: PackedBatch, outputs: Sequence[str], selection: TokenSelection | None = None
    ) -> list[npt.NDArray[Any]]:
        """Run the graph once. Releases the GIL while the device works.

        Args:
            batch: as `pack` gave it.
            outputs: names from `polyseme.artifact.graphs`, of this session's variant.
            selection: the further inputs of the `layers` variant; positions must lie within the batch.

        Returns:
            One array per output name, in their order, of the shapes in `polyseme.artifact.graphs`; the caller's own.

        Raises:
            ValueError: an id lies outside the vocabulary, which CUDA kernels do not check.
        """
        ids = batch.input_ids
        if ids.min() < 0 or ids.max() >= self._vocab_size:
            raise ValueError(f"ids within {ids.min()}..{ids.max()}; limits 0..{self._vocab_size - 1}")
        bucket = smallest(self._prepared, batch) if selection is None else None
        if bucket is not None:
            feeds = batch.fitted(bucket, self._filler).feeds()
            with using(self.device):
                return self._prepared[bucket].run(feeds, outputs, len(batch.lengths))
        feeds = batch.feeds() if selection is None else {**batch.feeds(), **selection.feeds()}
        with using(self.device):
            return self._run_eagerly(batch, feeds, outputs)

    def _run_eagerly(self, batch: PackedBatch, feeds: Feeds, outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        binding = self._session.io_binding()
        self._bind(binding, self._eager, feeds, batch)
        for name in outputs:
            binding.bind_output(name)  # in the host's memory: nothing but this is copied back
        self._session.run_with_iobinding(binding, self._eager_options)
        return [value.numpy() for value in binding.get_outputs()]

    def _bind(self, binding: ort.IOBinding, staging: _Staging, feeds: Feeds, batch: PackedBatch) -> None:
        kind, number = self.device.kind, self.device.number
        places = staging.put(_without(self._unread, feeds))
        for name, values in feeds.items():
            if name in places:
                binding.bind_input(name, kind, number, values.dtype, values.shape, places[name])
            else:
                binding.bind_input(name, "cpu", 0, values.dtype, values.shape, values.ctypes.data)
        texts, longest = batch.shape
        offsets = self._offsets.of(texts * longest)
        binding.bind_input(TOKEN_OFFSET, kind, number, np.int32, (texts, longest), offsets)

    def _prepare(self, bucket: Bucket, number: int) -> _Prepared:
        one = PackedBatch(
            input_ids=np.full(1, self._filler, dtype=np.int32),
            lengths=np.ones(1, dtype=np.int32),
            longest=1,
            padding_idx=self._padding_idx,
        )
        batch = one.fitted(bucket, self._filler)
        staging, feeds, binding = _Staging(self.device), batch.feeds(), self._session.io_binding()
        self._bind(binding, staging, feeds, batch)
        vectors = {
            output.name: ort.OrtValue.ortvalue_from_shape_and_type(
                (bucket.texts, output.shape[1]), _ELEMENTS[output.type], self.device.kind, self.device.number
            )
            for output in self._session.get_outputs()
        }
        for name, value in vectors.items():
            binding.bind_ortvalue_output(name, value)
        return _Prepared(
            session=self._session,
            staging=staging,
            binding=binding,
            vectors=vectors,
            unread={name: feeds[name] for name in self._unread},
            options=_run_options(self.device, number),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """One bucket: everything lies where it lay when the run was captured."""

    session: ort.InferenceSession
    staging: _Staging
    binding: ort.IOBinding
    vectors: Mapping[str, ort.OrtValue]
    unread: Feeds
    options: ort.RunOptions

    def capture(self) -> None:
        """Run for the first time: onnxruntime runs twice and captures a third run inside it."""
        self.session.run_with_iobinding(self.binding, self.options)

    def run(self, feeds: Feeds, outputs: Sequence[str], texts: int) -> list[npt.NDArray[Any]]:
        self.staging.put(_without(self.unread, feeds))
        self.session.run_with_iobinding(self.binding, self.options)
        return [self.vectors[name].numpy()[:texts].copy() for name in outputs]


class _Staging:
    """Inputs of one run side by side in one buffer of the host, and a copy of it on the device."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._buffers: dict[int, tuple[npt.NDArray[np.int32], ort.OrtValue]] = {}

    def put(self, feeds: Feeds) -> dict[str, int]:
        """Copy arrays of 4-byte elements to the device, in one copy; gives the address of each."""
        begins, size = {}, 0
        for name, values in feeds.items():
            begins[name] = size
            size += -(-values.size // _ALIGNMENT) * _ALIGNMENT
        host, device = self._buffer(size)
        for name, values in feeds.items():
            host[begins[name] : begins[name] + values.size] = values.ravel().view(np.int32)
        device.update_inplace(host)
        address = device.data_ptr()
        return {name: address + 4 * begin for name, begin in begins.items()}

    def _buffer(self, size: int) -> tuple[npt.NDArray[np.int32], ort.OrtValue]:
        """Give the smallest buffer that is large enough; one for each power of two, as a copy takes all of it."""
        rounded = max(_LEAST_BUFFER, 1 << (size - 1).bit_length())
        if rounded not in self._buffers:
            host = np.zeros(rounded, dtype=np.int32)
            device = ort.OrtValue.ortvalue_from_numpy(host.copy(), self._device.kind, self._device.number)
            self._buffers[rounded] = host, device
        return self._buffers[rounded]


class _Offsets:
    """Memory for `token_offset`, whose shape is read and whose content is not."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._grown: list[ort.OrtValue] = []  # what a captured run was given stays

    def of(self, size: int) -> int:
        """Give an address with room for so many int32."""
        if not self._grown or self._grown[-1].shape()[0] < size:
            room = np.zeros(max(_LEAST_BUFFER, 1 << (size - 1).bit_length()), dtype=np.int32)
            self._grown.append(ort.OrtValue.ortvalue_from_numpy(room, self._device.kind, self._device.number))
        return int(self._grown[-1].data_ptr())


def _load(
    artifact: Artifact,
    device: Device,
    variant: str,
    weights: Mapping[str, ort.OrtValue],
    cpu_graph: bytes | None,
    *,
    captures: bool,
) -> ort.InferenceSession:
    name = artifact.manifest.precisions[device.precision].of(Layout.PACKED).graphs[variant]
    # On a GPU the threads of a run would have nothing to do.
    options = session_options(1 if device.execution_provider == CUDA else 0)
    # The graph is as it should run. MatMul and Add would become a Gemm, which on CUDA is two products.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if device.execution_provider == CUDA:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(artifact.directory))
    for initializer, value in weights.items():
        options.add_initializer(initializer, value)
    # Exact where a mask is multiplied, as embed alone does; sums of layers, dense layers and blocks in fp32 would
    # lose bits.
    wide = artifact.manifest.model.embedding.dense or artifact.manifest.precisions[device.precision].fp32_blocks
    tf32 = variant is Variant.EMBED and not wide
    providers = _providers(device, tf32=tf32, captures=captures, biased="relative_bias" in weights)
    return open_session(name, artifact.path(name) if cpu_graph is None else cpu_graph, device, options, providers)


def _unread_inputs(session: ort.InferenceSession, device: Device) -> frozenset[str]:
    """Name the inputs that no node of a graph reads: onnxruntime wants them on the host, and would copy them there."""
    if device.execution_provider != CUDA:
        return frozenset()
    places = zip(session.get_inputs(), session.get_input_memory_infos(), strict=True)
    return frozenset(one.name for one, memory in places if memory.name == "Cpu")


def _without(names: Container[str], feeds: Feeds) -> Feeds:
    return {name: values for name, values in feeds.items() if name not in names}


def _providers(device: Device, *, tf32: bool, captures: bool, biased: bool) -> Providers:
    if device.execution_provider != CUDA:
        return [CPU]
    return [
        (
            CUDA,
            {
                "device_id": str(device.number),
                "arena_extend_strategy": "kSameAsRequested",
                # FlashAttention at any length, CUTLASS for biased scores; never cuDNN, which makes a plan per shape.
                "sdpa_kernel": "2" if biased else "1",
                "use_tf32": "1" if tf32 else "0",
                "enable_cuda_graph": "1" if captures else "0",
            },
        )
    ]


def _run_options(device: Device, graph: int) -> ort.RunOptions:
    options = ort.RunOptions()
    if device.execution_provider == CUDA:
        options.add_run_config_entry("gpu_graph_id", str(graph))
    return options
