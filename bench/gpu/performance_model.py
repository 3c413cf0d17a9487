"""What a GPU ought to take for a batch, from the graph itself: kernels, operations, bytes; a floor and an expectation.

Usage: python -m bench.gpu.performance_model ARTIFACT [--length 32 128] [--tokens 16 1024 ...] [--measured rows.jsonl]

Shapes are inferred by onnxruntime over the packed `embed` graph. Every node but a mere view is one kernel, which reads
its inputs and writes its outputs once, and takes the longer of what its operations and its bytes take:

    floor        at the rates below, no launch costs anything
    replayed     products and attention at the shares of a peak that they reach elsewhere, no kernel below what the
                 smallest take, and a gap after each
    eager        the same, but no faster than the host can launch

--measured reads the rows of bench.gpu.first_minutes, and puts what it saw of this model beside the expectation.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Final

import onnx
from bench.gpu.lib.record import read as read_rows
from bench.lib.machine import heading
from onnx import TensorProto, helper
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from rich.console import Console
from rich.table import Table

from polyseme.artifact import Artifact, Layout, Precision, Variant

_BYTES: Final[Mapping[int, int]] = {
    TensorProto.FLOAT: 4,
    TensorProto.FLOAT16: 2,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
    TensorProto.BOOL: 1,
}
_VIEWS: Final = {"Reshape", "Unsqueeze", "Flatten", "Squeeze", "Identity"}
_LOOKUPS: Final = {"Gather", "EmbedLayerNormalization"}  # read rows of a table, and not all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a GPU does at most.

    Attributes:
        name: of the card.
        fp16: operations a second of products in fp16.
        tf32: of products in TF32, which sums of masked rows run in; see `packed_session.py`.
        memory: bytes a second.
    """

    name: str
    fp16: float
    tf32: float
    memory: float


# Datasheets (SXM): 989 TFLOP/s in fp16, 494 in TF32, 3.35 TB/s (H100) or 4.8 (H200). Four fifths of the operations and
# nine tenths of the bytes can be had: one product of 8,192 runs at about 790 TFLOP/s.
CARDS: Final = (
    Card(name="H100", fp16=790e12, tf32=395e12, memory=3.0e12),
    Card(name="H200", fp16=790e12, tf32=395e12, memory=4.3e12),
)
_PRODUCT_SHARE: Final = 0.75  # of `fp16`, for products as narrow as 768: assumed
_ATTENTION_SHARE: Final = (
    0.44  # FlashAttention-2 gets 35% of 989 TFLOP/s on an H100 (Shah et al. 2024, FlashAttention-3)
)
# Measured on an H200 (bench/results/gpu.md): what a kernel takes at 128 tokens, however little it has to do; what lies
# between two of a replay; and what the host takes for a node of an eager run.
_LEAST_S: Final[Mapping[str, float]] = {"MatMul": 3.5e-6, "PackedMultiHeadAttention": 7e-6}
_LEAST_OTHER_S: Final = 1.8e-6
_GAP_S: Final = 0.9e-6
_HOST_NODE_S: Final = 9e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What one node costs.

    Attributes:
        block: whose it is: `embeddings`, `layer`, `head`.
        operator: of the node.
        operations: two for each multiplication.
        moved: bytes read and written.
        is_half: whether its products are in fp16.
    """

    block: str
    operator: str
    operations: float
    moved: float
    is_half: bool

    def floor_s(self, card: Card) -> float:
        """Seconds at the card's rates."""
        return max(self.operations / (card.fp16 if self.is_half else card.tf32), self.moved / card.memory)

    def expected_s(self, card: Card) -> float:
        """Seconds at the shares of these that are reached."""
        share = _ATTENTION_SHARE if self.operator == "PackedMultiHeadAttention" else _PRODUCT_SHARE
        computing = self.operations / share / (card.fp16 if self.is_half else card.tf32)
        return max(computing, self.moved / card.memory, _LEAST_S.get(self.operator, _LEAST_OTHER_S)) + _GAP_S


@dataclass(slots=True)
class PackedGraph:
    """The nodes of a packed graph, and the shapes of what flows between them."""

    nodes: Sequence[onnx.NodeProto]
    shapes: Mapping[str, tuple[int, Sequence[int | str]]] = field(repr=False)

    def kernels(self, texts: int, length: int) -> list[Kernel]:
        """What it runs for so many texts of one length, in order."""
        sizes = {"T": texts * length, "B": texts, "B + 1": texts + 1, "S": length}
        made = [self._kernel(node, sizes, length) for node in self.nodes if node.op_type not in _VIEWS]
        last = max(at for at, kernel in enumerate(made) if kernel.block == "layer")
        return [*made[: last + 1], *(replace(kernel, block="head") for kernel in made[last + 1 :])]

    def _kernel(self, node: onnx.NodeProto, sizes: Mapping[str, int], length: int) -> Kernel:
        outputs = [self._shape(name, sizes) for name in node.output if name]
        inputs = [self._shape(name, sizes) for name in node.input if name in self.shapes]
        written = sum(prod(shape) * size for shape, size in outputs)
        read = written if node.op_type in _LOOKUPS else sum(prod(shape) * size for shape, size in inputs)
        result, element = outputs[0]
        operations = 0.0
        if node.op_type == "MatMul":
            operations = 2.0 * prod(result) * inputs[0][0][-1]
        elif node.op_type == "PackedMultiHeadAttention":
            operations = 4.0 * prod(result) * length
        in_layer = re.match(r"layers\.\d+\.|hidden_states\.[1-9]", node.output[0])
        return Kernel(
            block="layer" if in_layer else "embeddings",
            operator=node.op_type,
            operations=operations,
            moved=float(read + written),
            is_half=element == 2,
        )

    def _shape(self, name: str, sizes: Mapping[str, int]) -> tuple[tuple[int, ...], int]:
        element, shape = self.shapes[name]
        return tuple(size if isinstance(size, int) else sizes[size] for size in shape), _BYTES[element]


def read(artifact: Artifact) -> PackedGraph:
    """The packed `embed` graph of an artifact, with all shapes."""
    name = artifact.manifest.precisions[Precision.FP16].of(Layout.PACKED).graphs[Variant.EMBED]
    model = onnx.load(artifact.path(name), load_external_data=False)
    for weight in [one for one in model.graph.initializer if one.data_location == TensorProto.EXTERNAL]:
        model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims)))
        model.graph.initializer.remove(weight)
    graph = SymbolicShapeInference.infer_shapes(model, auto_merge=True).graph
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [size.dim_value or size.dim_param for size in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return PackedGraph(nodes=list(graph.node), shapes=shapes)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--length", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 128, 1024, 8192, 32768, 65536])
    parser.add_argument("--measured", type=Path)
    args = parser.parse_args()
    artifact = Artifact.open(args.artifact)
    graph, seen = read(artifact), _measured(args.measured, artifact) if args.measured else []
    console = Console(width=140)
    print(heading())
    for length in args.length:
        console.print(_parts(graph, length, max(args.tokens)))
        console.print(_times(graph, length, args.tokens, seen))


def _parts(graph: PackedGraph, length: int, tokens: int) -> Table:
    """Where the time of a large batch goes."""
    kernels, card = graph.kernels(max(1, tokens // length), length), CARDS[0]
    table = Table(title=f"{tokens} tokens in texts of {length}: by operator, {card.name}", title_justify="left")
    for column in ("operator", "kernels", "GFLOP", "MB", "floor, us", "share"):
        table.add_column(column, justify="left" if column == "operator" else "right")
    total = sum(kernel.floor_s(card) for kernel in kernels)
    for block, operator in dict.fromkeys((kernel.block, kernel.operator) for kernel in kernels):
        these = [kernel for kernel in kernels if (kernel.block, kernel.operator) == (block, operator)]
        floor = sum(kernel.floor_s(card) for kernel in these)
        table.add_row(
            f"{block}: {operator}",
            str(len(these)),
            f"{sum(kernel.operations for kernel in these) / 1e9:,.1f}",
            f"{sum(kernel.moved for kernel in these) / 1e6:,.1f}",
            f"{floor * 1e6:,.0f}",
            f"{floor / total:.0%}",
        )
    return table


def _times(graph: PackedGraph, length: int, tokens: Sequence[int], seen: Sequence[Measured]) -> Table:
    """Floor and expectation by number of tokens, for each card."""
    table = Table(
        title=f"texts of {length} tokens: microseconds of a batch, millions of tokens a second", title_justify="left"
    )
    columns = ["tokens", "kernels", "GFLOP", "MB"]
    columns += [f"{card.name} {what}" for card in CARDS for what in ("floor", "replayed", "eager", "M/s")]
    for column in [*columns, *(f"measured, {measured.form}" for measured in seen)]:
        table.add_column(column, justify="right")
    for count in tokens:
        texts = max(1, count // length)
        kernels = graph.kernels(texts, min(length, count))
        real = texts * min(length, count)
        row = [
            f"{real:,}",
            str(len(kernels)),
            f"{sum(kernel.operations for kernel in kernels) / 1e9:,.2f}",
            f"{sum(kernel.moved for kernel in kernels) / 1e6:,.1f}",
        ]
        for card in CARDS:
            floor, replayed = (
                sum(times) for times in zip(*((k.floor_s(card), k.expected_s(card)) for k in kernels), strict=True)
            )
            eager = max(replayed, _HOST_NODE_S * len(kernels))
            row += [f"{floor * 1e6:,.0f}", f"{replayed * 1e6:,.0f}", f"{eager * 1e6:,.0f}", f"{real / eager / 1e6:.2f}"]
        for measured in seen:
            ms = measured.ms.get((texts, min(length, count)))
            row.append("-" if ms is None else f"{ms * 1e3:,.0f}")
        table.add_row(*row)
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was seen of one way to run.

    Attributes:
        form: `eager` or `replayed`.
        ms: milliseconds of a batch on one lane, median, by (texts, tokens of each).
    """

    form: str
    ms: Mapping[tuple[int, int], float]


def _measured(path: Path, artifact: Artifact) -> list[Measured]:
    """From a run of bench.gpu.first_minutes."""
    rows, name = read_rows(path), artifact.manifest.name
    large = {
        (row["tokens"] // row["length"], row["length"]): row["ms"]
        for row in rows
        if row.get("table") == f"throughput, {name}"
    }
    small = [row for row in rows if row.get("table") == f"ms of a batch, {name}"]
    by_form = {
        form: {(row["texts"], row["tokens"] // row["texts"]): row[form] for row in small if form in row}
        for form in ("eager", "replayed")
    }
    return [
        Measured(form="eager", ms={**by_form["eager"], **large}),
        Measured(form="replayed", ms=by_form["replayed"]),
    ]


if __name__ == "__main__":
    main()
