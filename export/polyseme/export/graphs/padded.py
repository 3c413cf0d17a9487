"""Texts in rows of their own, padded on the right: the graph that any onnxruntime runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
import onnx
from onnx import TensorProto

from polyseme.artifact import Pooling
from polyseme.artifact.graphs import INPUT_IDS, LENGTHS, NORMALIZED, POOLED, POSITION_IDS
from polyseme.export.graphs.nodes import CONTRIB, Nodes, hidden_state, norm, value

KEY_STARTS: Final = "key_starts"
"""A mask made from lengths, [3B + 2] int32, and what the names of its nodes begin with; see `give_key_starts`."""

MASKED_ATTENTION: Final = ("Attention", "MultiHeadAttention")


@dataclass(slots=True)
class PaddedNodes(Nodes):
    """The nodes of padded texts: hidden states are [B, S, H].

    Attributes:
        has_relative_bias: whether scores have a bias by distance, from the initializer `relative_bias`.
    """

    has_relative_bias: bool = False

    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Describe ids and lengths, and positions where they are not the columns."""
        rows = [INPUT_IDS, POSITION_IDS] if self.config.positions_are_given else [INPUT_IDS]
        shapes: dict[str, tuple[str, ...]] = {**dict.fromkeys(rows, ("B", "S")), LENGTHS: ("B",)}
        return [value(name, TensorProto.INT32, *shape) for name, shape in shapes.items()]

    def embed(self) -> str:
        """Add the embedding layer; positions are the columns, unless they are given."""
        tables = (f"embeddings.{part}" for part in ("word", "position"))
        given = ["", POSITION_IDS] if self.config.positions_are_given else []
        x = self.add(
            "EmbedLayerNormalization",
            [INPUT_IDS, "", *tables, "", *norm("embeddings"), *given],
            hidden_state(0),
            domain=CONTRIB,
            epsilon=self.config.layer_norm_eps,
        )
        # The operator declares a second output, the mask index, which is not wanted: lengths are an input.
        self.nodes[-1].output.append("embeddings.mask_index")
        if self.has_relative_bias:
            self._spread_bias()
        return x

    def _spread_bias(self) -> None:
        """Spread the bias by distance [N, 2P - 1] to the scores, [1, N, S, S]; once, for all layers."""
        nearest = self.constant("bias.nearest", np.int64(self.config.max_position_embeddings - 1))
        at = self.add("Add", [self.distances(), nearest], "bias.at")
        spread = self.add("Gather", ["relative_bias", at], "bias.spread", axis=1)
        self.add("Unsqueeze", [spread, self.constant("bias.batch", np.array([0]))], "bias.scores")

    def columns(self) -> str:
        """Count the columns: 0, 1, ... S - 1, int64."""
        if all(node.name != "columns" for node in self.nodes):
            size = self.add(
                "Squeeze", [self.add("Shape", [INPUT_IDS], "columns.shape", start=1, end=2)], "columns.size"
            )
            ends = [self._scalar(0), size, self._scalar(1)]
            self.add("Range", ends, "columns")
        return "columns"

    def distances(self) -> str:
        """Compute the number of places that each key stands behind each query, [S, S]."""
        queries = self.add("Unsqueeze", [self.columns(), self._axis()], "distances.queries")
        return self.add("Sub", [self.columns(), queries], "distances")

    def attend(self, x: str, at: str) -> tuple[str, str]:
        """Add one Attention, which makes query, key and value too; keys end at each text's length."""
        context = self.add(
            "Attention",
            [x, at + "qkv.weight", at + "qkv.bias", LENGTHS, *(["", "bias.scores"] if self.has_relative_bias else [])],
            at + "context",
            domain=CONTRIB,
            num_heads=self.config.num_attention_heads,
        )
        return context, at + "attention.bias"

    def give_key_starts(self) -> None:
        """Give every attention `key_starts` for the lengths: the same mask, which on CUDA is CUTLASS's and not cuDNN's.

        cuDNN makes a plan for each (B, S). onnxruntime's CUTLASS kernel takes lengths, and where queries and keys begin
        and end in a batch without rows: [3B + 2], of which a CPU reads the lengths alone.
        """
        made, self.nodes = self.nodes, []
        size = self._size(KEY_STARTS, 1)
        texts = self.add("Add", [self._size(KEY_STARTS, 0), self._scalar(1)], KEY_STARTS + ".texts")
        end = self.add("Mul", [texts, size], KEY_STARTS + ".end")
        begins = self.add("Range", [self._scalar(0), end, size], KEY_STARTS + ".wide")
        narrow = self.add("Cast", [begins], KEY_STARTS + ".begins", to=TensorProto.INT32)
        self.add("Concat", [LENGTHS, narrow, narrow], KEY_STARTS, axis=0)
        self.nodes += made
        for node in made:
            if node.op_type in MASKED_ATTENTION:
                given = [KEY_STARTS if name == LENGTHS else name for name in node.input]
                del node.input[:]
                node.input.extend(given)

    def _scalar(self, number: int) -> str:
        return self.shared(f"scalar_{number}", np.int64(number))

    def _size(self, at: str, axis: int) -> str:
        """Of the batch, a scalar."""
        shape = self.add("Shape", [INPUT_IDS], f"{at}.shape.{axis}", start=axis, end=axis + 1)
        return self.add("Squeeze", [shape], f"{at}.size.{axis}")

    def pool(self, last_hidden_state: str, pooling: Pooling, output: str) -> None:
        """Take a column, or the mean or maximum over the columns before the length."""
        hidden = self.add("Cast", [last_hidden_state], "pool.hidden", to=TensorProto.FLOAT)
        match pooling:
            case Pooling.CLS:
                self.add("Gather", [hidden, self.constant("pool.first", np.int64(0))], output, axis=1)
            case Pooling.LAST_TOKEN:
                last = self.add("Sub", [self._lengths(), self.constant("pool.one", np.int64(1))], "pool.last")
                self.add("GatherND", [hidden, last], output, batch_dims=1)
            case Pooling.MAX:
                real = self.add("Unsqueeze", [self._real(), self.constant("pool.axis_2", np.array([2]))], "pool.seen")
                least = self.constant("pool.least", np.float32(-np.inf))
                seen = self.add("Where", [real, hidden, least], "pool.candidates")
                self.add("ReduceMax", [seen], output, axes=[1], keepdims=0)
            case Pooling.MEAN | Pooling.MEAN_SQRT_LEN:
                self._mean(hidden, output, root=pooling is Pooling.MEAN_SQRT_LEN)
            case _:
                assert_never(pooling)

    def normalize(self) -> None:
        """Add one LpNormalization."""
        self.add("LpNormalization", [POOLED], NORMALIZED, axis=-1, p=2)

    def _mean(self, hidden: str, output: str, *, root: bool) -> None:
        """Sum real tokens, as one product with a mask [B, 1, S], and divide by their number or its root."""
        weights = self.add("Cast", [self._real()], "pool.weights", to=TensorProto.FLOAT)
        axis = self._axis()
        mask = self.add("Unsqueeze", [weights, axis], "pool.mask")
        total = self.add("Squeeze", [self.add("MatMul", [mask, hidden], "pool.total"), axis], "pool.sum")
        count = self.add("Cast", ["pool.lengths"], "pool.count", to=TensorProto.FLOAT)
        self.add("Div", [total, self.add("Sqrt", [count], "pool.root") if root else count], output)

    def _lengths(self) -> str:
        """[B, 1], int64."""
        length = self.add("Cast", [LENGTHS], "pool.length", to=TensorProto.INT64)
        return self.add("Unsqueeze", [length, self._axis()], "pool.lengths")

    def _real(self) -> str:
        """Mark the columns [B, S] that are not padding."""
        return self.add("Less", [self.columns(), self._lengths()], "pool.real")

    def _axis(self) -> str:
        return self.shared("axis_1", np.array([1]))
