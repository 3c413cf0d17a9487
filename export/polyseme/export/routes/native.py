"""One checkpoint through the mapping of its architecture: weights and graphs, emitted directly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from polyseme.artifact import Layout, ModelSpec, Precision, PrecisionEntry
from polyseme.export.encoders.architectures import Architecture
from polyseme.export.encoders.architectures.heads import CheckpointHead
from polyseme.export.encoders.encoder import Encoder, EncoderConfig
from polyseme.export.encoders.pre_norm import PreNormEncoder
from polyseme.export.encoders.reference import HiddenStates
from polyseme.export.gates.overflow import find_fp32_blocks
from polyseme.export.graphs.graph import encoder_nodes
from polyseme.export.graphs.nodes import Nodes
from polyseme.export.graphs.packed import PACKED_POOLINGS
from polyseme.export.graphs.weights import write_weights
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.routes.build import Build


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeRoute:
    """A checkpoint whose architecture has a mapping.

    Attributes:
        head: that predicts, and goes into the artifact too.
    """

    checkpoint: Checkpoint
    architecture: Architecture
    config: EncoderConfig
    head: CheckpointHead | None = None
    judged_by: str = "float64 numpy"

    @property
    def builder(self) -> dict[str, str]:
        """For the manifest."""
        return {"exporter": "native"}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Weights of the checkpoint that do not go into the artifact."""
        taken = frozenset() if self.head is None else self.head.taken
        return tuple(name for name in self.architecture.left_out(self.checkpoint) if name not in taken)

    def encoder(self) -> Encoder | PreNormEncoder:
        """Map the weights.

        Raises:
            CheckpointError: a weight cannot be used.
        """
        return self.architecture.read_encoder(self.checkpoint, self.config)

    def write(self, build: Build) -> dict[Precision, PrecisionEntry]:
        """Write weights and graphs of each precision.

        Raises:
            CheckpointError: a weight cannot be used.
            UnsupportedError: a weight is too large for fp16.
        """
        encoder = self.encoder()
        entries: dict[Precision, PrecisionEntry] = {}
        for precision in build.precisions:
            layouts = _layouts(encoder, precision, build.spec)
            tensors = write_weights(encoder, precision, build.weights(precision), layouts, dense=build.dense)
            fp32_blocks = _fp32_blocks(encoder, build, entries) if precision is Precision.FP16 else ()
            nodes = partial(_nodes, encoder, fp32_blocks)
            entries[precision] = build.write_graphs(precision, tensors, nodes, fp32_blocks)
        return entries

    def reference(self) -> HiddenStates:
        """Make the same model in float64."""
        return self.architecture.reference(self.checkpoint, self.config)


def _fp32_blocks(
    encoder: Encoder | PreNormEncoder, build: Build, written: dict[Precision, PrecisionEntry]
) -> tuple[str, ...]:
    """Blocks for which fp16 is too narrow, by the weights in fp32: those that were written, or some for this alone."""
    if not isinstance(encoder, Encoder):
        return ()
    weights = build.weights(Precision.FP32)
    if Precision.FP32 in written:
        return find_fp32_blocks(encoder.config, build.samples, weights, written[Precision.FP32].tensors)
    try:
        tensors = write_weights(encoder, Precision.FP32, weights, [Layout.PADDED])[Layout.PADDED]
        return find_fp32_blocks(encoder.config, build.samples, weights, tensors)
    finally:
        weights.unlink(missing_ok=True)


def _layouts(encoder: Encoder | PreNormEncoder, precision: Precision, spec: ModelSpec) -> list[Layout]:
    """Packed where a GPU has the attention, in fp16: without windows."""
    can_attend = isinstance(encoder, Encoder)
    packs = precision is Precision.FP16 and can_attend and spec.embedding.pooling in PACKED_POOLINGS
    return [Layout.PADDED, Layout.PACKED] if packs else [Layout.PADDED]


def _nodes(encoder: Encoder | PreNormEncoder, fp32_blocks: tuple[str, ...], layout: Layout) -> Nodes:
    if isinstance(encoder, PreNormEncoder):
        return encoder.nodes()
    return encoder_nodes(encoder.config, layout, fp32_blocks, has_relative_bias=encoder.relative_bias is not None)
