"""A torch model to a fused ONNX graph, by optimum: traced, then optimized. The erf gelu is kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import onnx

from polyseme.export.errors import GateError, UnsupportedError
from polyseme.export.graphs.graph import OPSET, fused_attention_count
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.routes.optimum.packages import one_line, quiet
from polyseme.export.routes.optimum.torch_model import Attention, load_model

# In this order: eager fuses nearly everywhere, of DistilBERT sdpa alone (optimum-onnx 0.1.0, onnxruntime 1.32).
_ATTENTIONS: Final[tuple[Attention, ...]] = ("eager", "sdpa")


def trace_fused(checkpoint: Checkpoint) -> onnx.ModelProto:
    """Trace a checkpoint to a graph from ids and mask to `hidden_states.0` .. `hidden_states.L`, every layer fused.

    Raises:
        GateError: some attentions are left unfused, whichever implementation is traced.
        UnsupportedError: optimum cannot trace or optimize it.
    """
    found: list[str] = []
    for attention in _ATTENTIONS:
        try:
            model = load_model(checkpoint, attention)
        except UnsupportedError:
            if not found:
                raise
            continue  # the architecture has no such implementation
        graph, layers = _trace(model), model.config.num_hidden_layers
        fused = fused_attention_count(graph)
        if fused == layers:
            return graph
        operators = Counter(node.op_type for node in graph.graph.node)
        left = ", ".join(f"{operators[name]} {name}" for name in ("MatMul", "Softmax", "Reshape"))
        found.append(f"{attention}: {fused}, beside {left}")
    raise GateError(
        f"optimum left attention unfused: {layers} fused operators are needed, one per layer; found {'; '.join(found)}"
    )


def _trace(model: Any) -> onnx.ModelProto:  # noqa: ANN401
    with tempfile.TemporaryDirectory(prefix="polyseme-") as name, quiet():
        folder = Path(name)
        try:
            _export(model, folder / "model.onnx")
            return _optimize(model, folder)
        except Exception as error:  # optimum, torch and onnxruntime each have their own
            raise UnsupportedError(
                f"optimum cannot export {model.config.model_type[:40]!r}: {one_line(error)}"
            ) from error


def _export(model: Any, path: Path) -> None:  # noqa: ANN401
    """Trace. Every layer's hidden state is an output; a pooler, which is none, is left out."""
    from optimum.exporters.onnx import export
    from optimum.exporters.tasks import TasksManager

    task = "feature-extraction"
    constructor = TasksManager.get_exporter_config_constructor("onnx", model, task=task, library_name="transformers")
    known = type(constructor(model.config))
    axes = {0: "batch_size", 1: "sequence_length"}
    names = [f"hidden_states.{layer}" for layer in range(model.config.num_hidden_layers + 1)]
    with_states = type("WithHiddenStates", (known,), {"outputs": property(lambda _: dict.fromkeys(names, axes))})
    export(model, with_states(model.config, task=task), path, opset=OPSET, model_kwargs={"output_hidden_states": True})


def _optimize(model: Any, folder: Path) -> onnx.ModelProto:  # noqa: ANN401
    """Fuse. Not O3 or O4: their FastGelu costs more accuracy than fp16 does."""
    from onnxruntime.transformers.optimizer import optimize_model
    from optimum.onnxruntime import OptimizationConfig, ORTOptimizer

    # mask_index: key lengths, with which CUDA's fused kernels work; a mask of two dimensions they do not take.
    options = OptimizationConfig(optimization_level=1, use_mask_index=True, enable_gelu_approximation=False)
    traced, config = folder / "model.onnx", model.config
    try:
        ORTOptimizer([traced], config=config).optimize(options, folder, file_suffix="fused")
    except NotImplementedError:  # a list of names; what lies below it asks for none, and the gates judge what it does
        sizes = {"num_heads": config.num_attention_heads, "hidden_size": config.hidden_size}
        fusions = options.create_fusion_options("bert")
        fused: onnx.ModelProto = optimize_model(
            str(traced), "bert", opt_level=1, optimization_options=fusions, **sizes
        ).model
        return fused
    return onnx.load(folder / "model_fused.onnx")
