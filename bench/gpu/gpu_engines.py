"""What is measured: engines over one artifact, padded and packed, eager and replayed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto

from polyseme.artifact import Artifact, Layout, Precision, Variant
from polyseme.artifact.graphs import CUMULATIVE_LENGTHS, NORMALIZED, TOKEN_OFFSET
from polyseme.export.graphs import graph as graph_module
from polyseme.export.graphs.graph import build_graph
from polyseme.export.graphs.nodes import CONTRIB
from polyseme.export.graphs.packed import PackedNodes
from polyseme.export.graphs.packed_on_cpu import cpu_graph_of
from polyseme.runtime.batches.padded import Batch
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, TENSORRT
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


def padded(artifact: Artifact, where: Device) -> PaddedEngine:
    """The padded graph."""
    return PaddedEngine(artifact, where)


def tensorrt(artifact: Artifact, where: Device, cache: Path) -> PaddedEngine:
    """The graph in ONNX's own operators through TensorRT; on a CPU there is none."""
    return PaddedEngine(artifact, replace(where, execution_provider=TENSORRT), engine_cache=cache)


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


def converted(artifact: Artifact, where: Device) -> Callable[[Batch], object]:
    """Our padded graph through onnxruntime's own convert_to_packing_mode: padding is removed and restored inside it."""
    sys.path.insert(0, str(Path(ort.__file__).parent / "transformers"))  # its modules import each other by bare names
    mode, wrapper = importlib.import_module("convert_to_packing_mode"), importlib.import_module("onnx_model")
    path = artifact.path(artifact.manifest.precisions[Precision.FP16].graphs[Variant.EMBED])
    packing = mode.PackingMode(wrapper.OnnxModel(onnx.load(path, load_external_data=False)))
    packing.convert(use_symbolic_shape_infer=False)
    packing.model.topological_sort()
    options = session_options(0)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(artifact.directory))
    model = packing.model.model.SerializeToString()
    session = open_session("the converted graph", model, where, options, providers_of(where))
    return lambda batch: session.run([NORMALIZED], batch.feeds())


def joined(artifact: Artifact, where: Device, config: object) -> PackedSession:
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
    with mock.patch.object(graph_module, "PackedNodes", JoinedNodes):
        model = build_graph(
            config,  # type: ignore[arg-type]
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
    return PackedSession(artifact, where, Variant.EMBED, weights=given, cpu_graph=model.SerializeToString())
