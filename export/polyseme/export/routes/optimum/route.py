"""One checkpoint through optimum: what the pipeline asks of a route."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from onnx import TensorProto

from polyseme.artifact import Layout, Precision, PrecisionEntry
from polyseme.export.encoders.encoder import EncoderConfig, Float32Array
from polyseme.export.encoders.reference import HiddenStates
from polyseme.export.graphs.nodes import Nodes
from polyseme.export.graphs.padded import PaddedNodes
from polyseme.export.graphs.weights import write_tensors
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.reading.sentence_transformers.dense import dense_initializers
from polyseme.export.routes.build import Build
from polyseme.export.routes.optimum.packages import versions
from polyseme.export.routes.optimum.rewiring import TracedEncoder, float_tensors, rewire, split, to_fp16
from polyseme.export.routes.optimum.torch_model import left_out, load_model, read_config, reference, word_table
from polyseme.export.routes.optimum.tracing import trace_fused

_ELEMENT: Final = {Precision.FP32: TensorProto.FLOAT, Precision.FP16: TensorProto.FLOAT16}


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimumRoute:
    """A checkpoint that transformers has loaded."""

    checkpoint: Checkpoint
    config: EncoderConfig
    words: Float32Array
    left_out: tuple[str, ...]
    judged_by: str = "float64 torch"

    @property
    def builder(self) -> dict[str, str]:
        """For the manifest."""
        return {"exporter": "optimum", **versions()}

    def write(self, build: Build) -> dict[Precision, PrecisionEntry]:
        """Trace, fuse, and write weights and graphs of each precision. What overflows is refused.

        Raises:
            GateError: not every layer's attention is fused.
            UnsupportedError: optimum cannot export it, or a weight is too large for fp16.
        """
        graph = rewire(trace_fused(self.checkpoint), self.words, self.config.num_hidden_layers)
        originals = float_tensors(graph)
        entries = {}
        for precision in build.precisions:  # fp32 first: halving changes the graph in place
            graph = to_fp16(graph) if precision is Precision.FP16 else graph
            encoder = split(graph, originals, _ELEMENT[precision])
            weights = [*encoder.weights.items(), *dense_initializers(build.dense)]
            tensors = {Layout.PADDED: write_tensors(weights, precision, build.weights(precision))}
            entries[precision] = build.write_graphs(precision, tensors, partial(_traced_nodes, self.config, encoder))
        return entries

    def reference(self) -> HiddenStates:
        """Make the torch model in float64, loaded anew: tracing may have changed the other."""
        return reference(load_model(self.checkpoint))


@dataclass(slots=True)
class _TracedNodes(PaddedNodes):
    """A graph whose encoder was traced; its head is written as every other."""

    traced: TracedEncoder = field(kw_only=True)

    def encode(self) -> str:
        """Add the traced nodes; give the last hidden state's name."""
        self.nodes += self.traced.nodes
        self.constants += self.traced.constants
        return f"hidden_states.{self.config.num_hidden_layers}"


def _traced_nodes(config: EncoderConfig, encoder: TracedEncoder, _: Layout) -> Nodes:
    return _TracedNodes(config, traced=encoder)


def open_route(checkpoint: Checkpoint) -> OptimumRoute:
    """Load a checkpoint by transformers.

    Raises:
        UnsupportedError: transformers cannot load it, or it is no encoder.
        CheckpointError: its weights are not those that config.json describes.
    """
    model = load_model(checkpoint)
    return OptimumRoute(
        checkpoint=checkpoint, config=read_config(model), words=word_table(model), left_out=left_out(checkpoint, model)
    )
