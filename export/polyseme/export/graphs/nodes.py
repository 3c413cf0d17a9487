"""The nodes of a graph under construction: the part that padded and packed graphs share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from polyseme.artifact import Pooling
from polyseme.artifact.graphs import (
    INPUT_IDS,
    LAYER_WEIGHTS,
    POSITIONS,
    SPAN_TOKENS,
    SPAN_VECTORS,
    SPAN_WEIGHTS,
    TOKEN_VECTORS,
)
from polyseme.export.encoders.encoder import EncoderConfig

CONTRIB: Final = "com.microsoft"
UNSEEN: Final = -1e4  # added to the score of a key that must not be seen: exp() of it is 0 in fp16 and fp32
ATTENTION: Final = "attention"
FEED_FORWARD: Final = "feed_forward"  # the blocks of a layer


@dataclass(slots=True, kw_only=True)
class NodeList:
    """Nodes in the order of computation, and the small constants that they take.

    Methods add nodes; where they give a name, it is that of the value that the last node computes.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(
        self,
        op: str,
        inputs: list[str],
        output: str,
        *,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401  whatever the operator has
    ) -> str:
        """Add one node with one output of the same name; give the name."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def constant(self, name: str, values: object) -> str:
        """Add a small constant that stays in the graph; give its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def shared(self, name: str, values: object) -> str:
        """Add a constant that several nodes take, once; give its name."""
        if all(constant.name != name for constant in self.constants):
            self.constant(name, values)
        return name


@dataclass(slots=True)
class Nodes(NodeList, ABC):
    """The nodes of a graph under construction. A layout says how texts lie, attend and are pooled.

    Attributes:
        fp32_blocks: blocks that a graph in fp16 computes in fp32, such as `layers.3.feed_forward`.
    """

    config: EncoderConfig
    fp32_blocks: Collection[str] = ()

    @abstractmethod
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Describe the inputs of the graph."""

    @abstractmethod
    def embed(self) -> str:
        """Add the nodes from ids to the output of the embedding layer; give its name."""

    @abstractmethod
    def attend(self, x: str, at: str) -> tuple[str, str]:
        """Add the attention of the layer whose names begin with `at`, before its output projection.

        Returns:
            The name of its output, and that of the projection's bias.
        """

    def give_key_starts(self) -> None:
        """Tell attentions where keys begin, if that makes CUDA take another kernel."""

    @abstractmethod
    def pool(self, last_hidden_state: str, pooling: Pooling, output: str) -> None:
        """Pool the last hidden state to `output` [B, H], in float32: fp16 would overflow past 65504."""

    @abstractmethod
    def normalize(self) -> None:
        """Scale `pooled` to `normalized`, of length 1."""

    def encode(self) -> str:
        """Add the nodes from ids to the last hidden state; give its name."""
        x = self.embed()
        for number in range(self.config.num_hidden_layers):
            x = self._layer(x, f"layers.{number}.", hidden_state(number + 1))
        return x

    def _layer(self, x: str, at: str, output: str) -> str:
        context, bias = self.attend(x, at)
        wide = self._widener(at + ATTENTION)
        projected = self.add("MatMul", [wide(context), wide(at + "attention.weight")], at + "attention")
        y = self._skip_norm([projected, wide(x), *map(wide, norm(at + "attention")), wide(bias)], at + ATTENTION)
        wide = self._widener(at + FEED_FORWARD)
        inner = self.add("MatMul", [wide(y), wide(at + "intermediate.weight")], at + "intermediate")
        gelu = self.add("BiasGelu", [inner, wide(at + "intermediate.bias")], at + "gelu", domain=CONTRIB)
        outer = self.add("MatMul", [gelu, wide(at + "output.weight")], at + "output")
        last = [outer, wide(y), *map(wide, norm(at + "output")), wide(at + "output.bias")]
        return self._skip_norm(last, at + FEED_FORWARD, output)

    def _skip_norm(self, inputs: list[str], block: str, output: str = "") -> str:
        """LayerNorm(x + skip + bias) at the end of a block: what leaves it is small, and narrow again."""
        output = output or block + ".normalized"
        is_fp32_block = block in self.fp32_blocks
        name = output + ".wide" if is_fp32_block else output
        self.add("SkipLayerNormalization", inputs, name, domain=CONTRIB, epsilon=self.config.layer_norm_eps)
        return self.add("Cast", [name], output, to=TensorProto.FLOAT16) if is_fp32_block else output

    def _widener(self, block: str) -> Callable[[str], str]:
        """Give a function that casts a value to fp32 on its way into a block in fp32; elsewhere it does nothing."""
        if block not in self.fp32_blocks:
            return lambda name: name
        return cache(lambda name: self.add("Cast", [name], f"{block}.{name}.wide", to=TensorProto.FLOAT))

    def select(self) -> None:
        """Gather tokens at `positions` of every state, join them by `layer_weights`, sum over groups, in float32.

        Tokens are gathered before anything is joined: the cost grows with the number of tokens asked for.
        """
        size = self.config.hidden_size
        rows = self.constant("select.rows", np.array([-1, size]))
        ids = self.add("Reshape", [INPUT_IDS, self.constant("select.flat", np.array([-1]))], "select.ids")
        asked = self.add("Gather", [ids, POSITIONS], "select.asked")
        states = [self.add("Gather", ["embeddings.word", asked], "select.static")]
        for layer in range(self.config.num_hidden_layers + 1):
            flat = self.add("Reshape", [hidden_state(layer), rows], f"select.{layer}.flat")
            states.append(self.add("Gather", [flat, POSITIONS], f"select.{layer}"))
        axis = self.constant("select.axis_0", np.array([0]))
        stacked = [self.add("Unsqueeze", [state, axis], f"{state}.stacked") for state in states]
        every = self.add("Concat", stacked, "select.every", axis=0)
        wide = self.add("Cast", [every], "select.wide", to=TensorProto.FLOAT)
        # One product over the layers: [C, L + 2] with [L + 2, P * H].
        lines = self.add("Flatten", [wide], "select.lines", axis=1)
        joined = self.add("MatMul", [LAYER_WEIGHTS, lines], "select.joined")
        shape = self.constant("select.shape", np.array([0, -1, size]))
        self.add("Reshape", [joined, shape], TOKEN_VECTORS)
        # [G, K, M] with [C, G, M, H]: the cost grows with each text's own spans and tokens, not with all together.
        grouped = self.add("Gather", [TOKEN_VECTORS, SPAN_TOKENS], "select.grouped", axis=1)
        self.add("MatMul", [SPAN_WEIGHTS, grouped], SPAN_VECTORS)

    def float16_outputs(self, _outputs: Sequence[str]) -> list[str]:
        """Add each output in float16 too, where the layout is one for GPUs; give their names."""
        return []


def hidden_state(layer: int) -> str:
    """Name the output of layer 0 (embeddings) to L (last encoder layer), [B, S, H] or [T, H]."""
    return f"hidden_states.{layer}"


def value(name: str, element: int, *shape: str | int) -> onnx.ValueInfoProto:
    """Describe an input or output."""
    return helper.make_tensor_value_info(name, element, shape)


def norm(at: str) -> tuple[str, str]:
    """Name the initializers of a LayerNorm."""
    return f"{at}.norm.weight", f"{at}.norm.bias"
