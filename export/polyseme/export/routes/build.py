"""The task of a route, and the writing of graphs, which is the same for every route."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from polyseme.artifact import GraphSet, Layout, ModelSpec, Precision, PrecisionEntry, Variant, WeightEntry
from polyseme.export.gates.acceptance import refuse_unfused
from polyseme.export.graphs.graph import assemble
from polyseme.export.graphs.nodes import Nodes
from polyseme.export.graphs.standard_operators import standard
from polyseme.export.reading.sentence_transformers.dense import DenseModule

Tensors = Mapping[Layout, tuple[WeightEntry, ...]]
"""The places of the initializers of each layout's graphs in the weight file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One model, to be written into a directory.

    Attributes:
        spec: what the manifest says of the model.
        precisions: which, fp32 first.
        dense: what follows the pooling.
        samples: token ids of texts, by which is judged where fp16 is too narrow.
        standard: whether to write a graph in ONNX's own operators too.
        directory: where.
    """

    spec: ModelSpec
    precisions: Sequence[Precision]
    dense: Sequence[DenseModule]
    samples: Sequence[list[int]]
    standard: bool
    directory: Path

    def weights(self, precision: Precision) -> Path:
        """Give the path of the weight file of a precision."""
        return self.directory / f"weights.{precision.value}.bin"

    def write_graphs(
        self,
        precision: Precision,
        tensors: Tensors,
        make_nodes: Callable[[Layout], Nodes],
        fp32_blocks: tuple[str, ...] = (),
    ) -> PrecisionEntry:
        """Write the graphs of each layout over the weights of one precision.

        Args:
            precision: of the weights.
            tensors: by layout; padded is one.
            make_nodes: makes those of an encoder, anew for each graph.
            fp32_blocks: blocks that are computed in fp32.

        Raises:
            GateError: a layer's attention is not fused.
            UnsupportedError: there is no such graph in ONNX's own operators.
        """
        # Where a GPU pads, it should attend by the kernel that takes any shape: without a packed graph; and before
        # Ampere, where TensorRT's fused attention takes lengths, but no bias.
        biased = any(entry.name == "relative_bias" for entry in tensors[Layout.PADDED])
        key_starts = precision is Precision.FP16 and (biased or Layout.PACKED not in tensors)
        sets = {
            layout: self._write_layout(precision, layout, tensors[layout], make_nodes, key_starts=key_starts)
            for layout in tensors
        }
        padded = sets[Layout.PADDED]
        return PrecisionEntry(
            graphs=padded.graphs,
            tensors=padded.tensors,
            weights=self.weights(precision).name,
            packed=sets.get(Layout.PACKED),
            fp32_blocks=fp32_blocks,
            standard=self._write_standard(precision, padded) if self.standard else "",
        )

    def _write_standard(self, precision: Precision, padded: GraphSet) -> str:
        fused = onnx.load(self.directory / padded.graphs[Variant.EMBED], load_external_data=False)
        name = f"{Variant.EMBED}.{precision.value}.standard.onnx"
        self._write(name, standard(fused))
        return name

    def _write_layout(
        self,
        precision: Precision,
        layout: Layout,
        tensors: tuple[WeightEntry, ...],
        make_nodes: Callable[[Layout], Nodes],
        *,
        key_starts: bool,
    ) -> GraphSet:
        suffix = ".packed" if layout is Layout.PACKED else ""
        graphs: dict[str, str] = {}
        for variant in Variant:
            name = graphs[variant] = f"{variant}.{precision.value}{suffix}.onnx"
            model = assemble(
                make_nodes(layout),
                variant,
                precision,
                pooling=self.spec.embedding.pooling,
                dense=self.spec.embedding.dense,
                key_starts=key_starts,
                weights=tensors,
                weights_file=self.weights(precision).name,
            )
            refuse_unfused(model, self.spec.encoder.num_hidden_layers, name)
            self._write(name, model)
        return GraphSet(graphs=graphs, tensors=tensors)

    def _write(self, name: str, model: onnx.ModelProto) -> None:
        (self.directory / name).write_bytes(model.SerializeToString(deterministic=True))
