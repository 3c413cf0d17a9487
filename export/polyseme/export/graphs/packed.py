"""Texts one after another, with nothing between them: the graph for GPUs.

Attention is FlashAttention's, and CUTLASS's where scores have a bias by distance.

Every operator has a CUDA kernel, none looks at the host, and none's memory depends on anything but T, B and S, so that
a run can be captured in a CUDA graph. Query, key and value have a product each: what the attention is given is then
what it computes with, where one joined product would have to be taken apart by a kernel of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
import onnx
from onnx import TensorProto

from polyseme.artifact import Pooling
from polyseme.artifact.graphs import (
    CUMULATIVE_LENGTHS,
    INPUT_IDS,
    LONGEST_STEP,
    NORMALIZED,
    POOLED,
    POSITION_IDS,
    TEXT_IDS,
    TEXTS,
    TOKEN_OFFSET,
    half,
)
from polyseme.export.graphs.nodes import CONTRIB, Nodes, hidden_state, norm, value

BIAS: Final = "bias."
BIAS_SCORES: Final = BIAS + "scores"
"""The names of the nodes that spread the bias by distance begin with the one; attentions are given the other."""

PACKED_POOLINGS: Final = frozenset({Pooling.CLS, Pooling.LAST_TOKEN, Pooling.MEAN, Pooling.MEAN_SQRT_LEN})
"""A maximum within each text would need [B, T, H] elements of memory: opset 17 has no segmented one."""

_LEAST_SQUARE: Final = np.float32(1e-24)  # of a vector's length: prevents a division by zero


@dataclass(slots=True)
class PackedNodes(Nodes):
    """The nodes of packed texts: hidden states are [T, H].

    Attributes:
        has_relative_bias: whether scores have a bias by distance, from the initializer `relative_bias`.
    """

    has_relative_bias: bool = False

    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Describe the ids, and the inputs that say where each text lies."""
        shapes: dict[str, tuple[str | int, ...]] = {
            INPUT_IDS: (1, "T"),
            POSITION_IDS: (1, "T"),
            TEXT_IDS: (1, "T"),
            TEXTS: ("B", 1),
            CUMULATIVE_LENGTHS: ("B + 1",),
            TOKEN_OFFSET: ("B", "S"),
        }
        return [value(name, TensorProto.INT32, *shape) for name, shape in shapes.items()]

    def embed(self) -> str:
        """Add the embedding layer. The operator wants rows: it gets one of T columns, whose positions are given."""
        tables = (f"embeddings.{part}" for part in ("word", "position"))
        row = self.add(
            "EmbedLayerNormalization",
            [INPUT_IDS, "", *tables, "", *norm("embeddings"), "", POSITION_IDS],
            "embeddings.row",
            domain=CONTRIB,
            epsilon=self.config.layer_norm_eps,
            mask_index_type=0,
        )
        x = self.add("Reshape", [row, self._lines()], hidden_state(0))
        if self.has_relative_bias:
            self._spread_bias()
        return x

    def _spread_bias(self) -> None:
        """Spread the bias by distance [N, 2P - 1] to the scores of the longest text, [1, N, S, S]; once for all layers.

        Where in the table the bias of each two places lies is a constant, cut to S: nothing is counted on the host.
        """
        most = self.config.max_position_embeddings
        places = np.arange(-(-most // LONGEST_STEP) * LONGEST_STEP, dtype=np.int32)
        at = np.clip(places - places[:, None], 1 - most, most - 1) + (most - 1)
        size = self.add("Shape", [TOKEN_OFFSET], BIAS + "size", start=1, end=2)
        begin = self.constant(BIAS + "begin", np.array([0]))
        axes = [self.constant(f"{BIAS}axis_{axis}", np.array([axis])) for axis in (0, 1)]
        rows = self.add("Slice", [self.constant(BIAS + "places", at), begin, size, axes[0]], BIAS + "rows")
        square = self.add("Slice", [rows, begin, size, axes[1]], BIAS + "at")
        spread = self.add("Gather", ["relative_bias", square], BIAS + "spread", axis=1)
        self.add("Unsqueeze", [spread, axes[0]], BIAS_SCORES)

    def attend(self, x: str, at: str) -> tuple[str, str]:
        """Add three products, and attention within each text."""
        query, key, values = (self.add("MatMul", [x, f"{at}{part}.weight"], at + part) for part in _PARTS)
        context = self.add(
            "PackedMultiHeadAttention",
            [
                self.add("Add", [query, at + "query.bias"], at + "query.biased"),
                *(key, values, "", *_PLACES, *([BIAS_SCORES] if self.has_relative_bias else [])),
            ],
            at + "context",
            domain=CONTRIB,
            num_heads=self.config.num_attention_heads,
        )
        return context, at + "attention.moved_bias"

    def pool(self, last_hidden_state: str, pooling: Pooling, output: str) -> None:
        """Take a token of each text, or the mean of its tokens.

        Raises:
            ValueError: pooling is not among PACKED_POOLINGS.
        """
        hidden = self.add("Cast", [last_hidden_state], "pool.hidden", to=TensorProto.FLOAT)
        begins = self.add("Gather", [CUMULATIVE_LENGTHS, TEXTS], "pool.begins")
        match pooling:
            case Pooling.CLS:
                self._token(hidden, begins, output)
            case Pooling.LAST_TOKEN:
                self._token(hidden, self.add("Sub", [self._ends(), self._one()], "pool.last"), output)
            case Pooling.MEAN | Pooling.MEAN_SQRT_LEN:
                self._mean(hidden, begins, output, root=pooling is Pooling.MEAN_SQRT_LEN)
            case Pooling.MAX:
                raise ValueError(f"{pooling}: has no packed graph")
            case _:
                assert_never(pooling)

    def _token(self, hidden: str, place: str, output: str) -> None:
        token = self.add("Gather", [hidden, place], "pool.token")
        self.add("Reshape", [token, self._lines()], output)

    def _mean(self, hidden: str, begins: str, output: str, *, root: bool) -> None:
        """One product with a mask [B, T]. As TF32 it is exact: elements of fp16, and ones."""
        lengths = self.add("Sub", [self._ends(), begins], "pool.lengths")
        mine = self.add("Equal", [TEXT_IDS, TEXTS], "pool.mine")
        total = self.add("MatMul", [self._float(mine, "pool.mask"), hidden], "pool.total")
        count = self._float(lengths, "pool.count")
        self.add("Div", [total, self.add("Sqrt", [count], "pool.root") if root else count], output)

    def _ends(self) -> str:
        """Find where the next text begins, [B, 1]."""
        following = self.add("Add", [TEXTS, self._one()], "pool.following")
        return self.add("Gather", [CUMULATIVE_LENGTHS, following], "pool.ends")

    def _one(self) -> str:
        return self.shared("pool.1", np.int32(1))

    def normalize(self) -> None:
        """Divide by the length: LpNormalization has no CUDA kernel."""
        squares = self.add("Mul", [POOLED, POOLED], "pool.squares")
        axis = self.constant("pool.axis", np.array([1]))
        total = self.add("ReduceSum", [squares, axis], "pool.square", keepdims=1)
        safe = self.add("Add", [total, self.constant("pool.least", _LEAST_SQUARE)], "pool.safe")
        self.add("Div", [POOLED, self.add("Sqrt", [safe], "pool.length")], NORMALIZED)

    def float16_outputs(self, outputs: Sequence[str]) -> list[str]:
        """Cast each output; an output that nobody asks for is not copied."""
        return [self.add("Cast", [output], half(output), to=TensorProto.FLOAT16) for output in outputs]

    def _float(self, x: str, output: str) -> str:
        return self.add("Cast", [x], output, to=TensorProto.FLOAT)

    def _lines(self) -> str:
        return self.shared("packed.lines", np.array([-1, self.config.hidden_size]))


_PARTS: Final = ("query", "key", "value")
_PLACES: Final = (TOKEN_OFFSET, CUMULATIVE_LENGTHS)
