"""What is measured: engines over one artifact, padded and packed, eager and replayed; and other forms of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import numpy as np
from onnx import TensorProto

from polyseme.artifact import Artifact, Layout, Pooling, Precision, Variant
from polyseme.artifact.graphs import CUMULATIVE_LENGTHS, NORMALIZED, TEXTS, TOKEN_OFFSET
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.graphs import graph as graph_module
from polyseme.export.graphs.graph import build_graph
from polyseme.export.graphs.nodes import CONTRIB
from polyseme.export.graphs.packed import PackedNodes
from polyseme.export.graphs.packed_on_cpu import cpu_graph_of
from polyseme.runtime.batches.packed import Bucket
from polyseme.runtime.batches.padded import Batch
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.access import using
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA
from polyseme.runtime.engines.onnxruntime.packed import BUCKET_TOKENS, PackedEngine
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.onnxruntime.padded_session import (
    load_weights,
    open_session,
    providers_of,
    put_weights,
    session_options,
)


def device(kind: str) -> Device:
    """fp16, on the first GPU or on the CPU."""
    return Device(execution_provider=CUDA if kind == "cuda" else CPU, precision=Precision.FP16, flash=kind == "cuda")


def engine(form: str, artifact: Artifact, where: Device) -> PackedEngine | PaddedEngine:
    """With one lane: `padded`, `packed` (eager), or `replayed`."""
    if form == "padded":
        return PaddedEngine(artifact, where)
    return packed(artifact, where, buckets=buckets() if form == "replayed" else ())


def packed(artifact: Artifact, where: Device, *, lanes: int = 1, buckets: Sequence[int] = ()) -> PackedEngine:
    """The packed graph; replayed where there are buckets."""
    graphs = artifact.manifest.precisions[Precision.FP16].of(Layout.PACKED).graphs
    cpu_graphs = (
        {v: cpu_graph_of(artifact.path(name)) for v, name in graphs.items()}
        if where.execution_provider == CPU
        else None
    )
    return PackedEngine(artifact, [where], lanes_per_device=lanes, buckets=buckets, cpu_graphs=cpu_graphs)


def buckets() -> Sequence[int]:
    """Those that the server prepares for."""
    return BUCKET_TOKENS


def padded_by_cutlass(artifact: Artifact, where: Device, config: EncoderConfig) -> Callable[[Batch], object]:
    """The padded graph as exported where there is no packed one: its attention takes any shape; cuDNN's plans each."""
    entry = artifact.manifest.precisions[Precision.FP16]
    model = build_graph(
        config, Variant.EMBED, Precision.FP16, key_starts=True,
        pooling=artifact.manifest.model.embedding.pooling, weights=entry.tensors, weights_file=entry.weights,
    )  # fmt: skip
    options, weights = session_options(1), load_weights(artifact, where)
    for name, value in weights.items():
        options.add_initializer(name, value)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(artifact.directory))
    session = open_session("padded by CUTLASS", model.SerializeToString(), where, options, providers_of(where))

    def run(batch: Batch, _weights: object = weights) -> object:
        with using(where):
            return session.run([NORMALIZED], batch.feeds())

    return run


class JoinedNodes(PackedNodes):
    """The other form of attention: one product, of which the operator takes query, key and value apart, with a bias."""

    def attend(self, x: str, at: str) -> tuple[str, str]:
        """One product whose columns are (head, part, element)."""
        heads = self.config.num_attention_heads
        product = self.add("MatMul", [x, at + "joined.weight"], at + "joined")
        size = self.config.hidden_size // heads
        shape = self.constant(at + "joined.shape", np.array([-1, heads, 3, size]))
        apart = self.add("Reshape", [product, shape], at + "apart")
        context = self.add(
            "PackedMultiHeadAttention",
            [apart, "", "", at + "qkv.bias", TOKEN_OFFSET, CUMULATIVE_LENGTHS],
            at + "context",
            domain=CONTRIB,
            num_heads=heads,
        )
        return context, at + "attention.bias"


class AttentionPooledNodes(PackedNodes):
    """The mean of a text by an attention that finds all its tokens alike: no mask [B, T]."""

    def pool(self, last_hidden_state: str, pooling: Pooling, output: str) -> None:
        """Any row of a text, as each is its mean."""
        assert pooling is Pooling.MEAN
        means = self.add(
            "PackedMultiHeadAttention",
            [last_hidden_state, last_hidden_state, last_hidden_state, "", TOKEN_OFFSET, CUMULATIVE_LENGTHS],
            "pool.means",
            domain=CONTRIB,
            num_heads=self.config.num_attention_heads,
            scale=1e-30,
        )
        wide = self.add("Cast", [means], "pool.wide", to=TensorProto.FLOAT)
        self._token(wide, self.add("Gather", [CUMULATIVE_LENGTHS, TEXTS], "pool.begins"), output)


def attention_pooled(
    artifact: Artifact, where: Device, config: EncoderConfig, buckets: Sequence[Bucket] = ()
) -> PackedSession:
    """A session over the graph that pools by an attention; CUDA only."""
    entry = artifact.manifest.precisions[Precision.FP16]
    with _nodes(AttentionPooledNodes):
        model = build_graph(
            config, Variant.EMBED, Precision.FP16, Layout.PACKED,
            pooling=artifact.manifest.model.embedding.pooling,
            weights=entry.of(Layout.PACKED).tensors, weights_file=entry.weights,
        )  # fmt: skip
    weights = load_weights(artifact, where, Layout.PACKED)
    graph = model.SerializeToString()
    return PackedSession(artifact, where, Variant.EMBED, weights=weights, buckets=buckets, cpu_graph=graph)


@contextmanager
def _nodes(kind: type[PackedNodes]) -> Iterator[None]:
    """While graphs are built of these nodes."""
    with mock.patch.object(graph_module, "PackedNodes", kind):
        yield


def joined(artifact: Artifact, where: Device, config: EncoderConfig, buckets: Sequence[Bucket] = ()) -> PackedSession:
    """A session over the joined form; CUDA only, as its CPU form would be another graph."""
    weights = load_weights(artifact, where, Layout.PACKED)
    arrays = artifact.weights(Precision.FP16)
    spec = artifact.manifest.model
    hidden, heads = spec.encoder.hidden_size, spec.encoder.num_attention_heads
    size = hidden // heads
    added = {}
    for number in range(spec.encoder.num_hidden_layers):
        at = f"layers.{number}."
        parts = np.asarray(arrays[at + "qkv.weight"]).reshape(hidden, 3, heads, size)
        added[at + "joined.weight"] = np.ascontiguousarray(parts.transpose(0, 2, 1, 3).reshape(hidden, 3 * hidden))
        added[at + "qkv.bias"] = np.asarray(arrays[at + "qkv.bias"])
        added[at + "attention.bias"] = np.asarray(arrays[at + "attention.bias"])
    entries = [t for t in artifact.manifest.precisions[Precision.FP16].tensors if not t.name.endswith("qkv.weight")]
    with _nodes(JoinedNodes):
        model = build_graph(
            config,
            Variant.EMBED,
            Precision.FP16,
            Layout.PACKED,
            pooling=spec.embedding.pooling,
            weights=entries,
            weights_file=artifact.manifest.precisions[Precision.FP16].weights,
        )
    for name, values in added.items():
        if name.endswith("joined.weight"):  # declared as the others are, and given below
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=values.shape)
            tensor.raw_data = values.tobytes()
            model.graph.initializer.append(tensor)
    names = {one.name for one in model.graph.initializer if one.data_location == TensorProto.EXTERNAL}
    weights |= put_weights({name: values for name, values in added.items() if name.endswith(".bias")}, where)
    given = {name: value for name, value in weights.items() if name in names}
    graph = model.SerializeToString()
    return PackedSession(artifact, where, Variant.EMBED, weights=given, buckets=buckets, cpu_graph=graph)


def as_exported(
    artifact: Artifact, where: Device, _config: EncoderConfig, buckets: Sequence[Bucket] = ()
) -> PackedSession:
    """A session over the artifact's own graph."""
    weights = load_weights(artifact, where, Layout.PACKED)
    return PackedSession(artifact, where, Variant.EMBED, weights=weights, buckets=buckets)
