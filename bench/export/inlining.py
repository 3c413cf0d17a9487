"""Whether onnx's inliner could take fused operators apart, as `export.graphs.standard_operators` does for TensorRT.

Each fused operator of a BERT graph becomes a function of the model, which `onnx.inliner` puts in place of its calls.
Printed: nodes of either graph, what TensorRT would still refuse or overlook, and how far the vectors are from the fused
graph's. Operators with optional inputs (a bias on scores, rotary positions, given positions) would need a function for
each form; they are not tried.

Usage: python -m bench.export.inlining ARTIFACT
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from bench.lib.machine import heading, versions
from onnx import inliner, parser

from polyseme.artifact.graphs import INPUT_IDS, LENGTHS, NORMALIZED
from polyseme.export.graphs.nodes import CONTRIB
from polyseme.export.graphs.standard_operators import standard

HEAD = f'<opset_import: ["" : 17], domain: "{CONTRIB}">\n'
# Functions know no types, so that each constant is cast like an argument; and no shapes, so that the size of a head is
# computed in the graph.
FUNCTIONS = {
    "BiasGelu (x, bias) => (y)": """
        s = Add(x, bias)
        a = Constant <value_float: float = 0.70710678>()  a1 = CastLike(a, s)  small = Mul(s, a1)  erf = Erf(small)
        b = Constant <value_float: float = 1.0>()  b1 = CastLike(b, s)  more = Add(erf, b1)
        c = Constant <value_float: float = 0.5>()  c1 = CastLike(c, s)  half = Mul(s, c1)  y = Mul(half, more)""",
    "SkipLayerNormalization <epsilon: float = 1e-12>(x, skip, scale, shift, bias) => (y, mean, inverse, sum)": """
        a = Add(x, skip)  sum = Add(a, bias)
        y = LayerNormalization <axis: int = -1, epsilon: float = @epsilon>(sum, scale, shift)
        mean = Identity(scale)  inverse = Identity(scale)""",
    "EmbedLayerNormalization <epsilon: float = 1e-12>(ids, kinds, words, places, kind, scale, shift) => (y, index)": """
        word = Gather(words, ids)  end = Shape <start: int = 1, end: int = 2>(ids)
        zero = Constant <value_ints: ints = [0]>()  place = Slice(places, zero, end, zero)  sum = Add(word, place)
        y = LayerNormalization <axis: int = -1, epsilon: float = @epsilon>(sum, scale, shift)
        index = Identity(zero)""",
    "Attention <num_heads>(x, weight, bias, lengths) => (y)": """
        product = MatMul(x, weight)  joined = Add(product, bias)  q, k, v = Split <axis: int = -1>(joined)
        one = Constant <value_ints: ints = [1]>()  heads = Constant <value_int: int = @num_heads>()
        heads1 = Reshape(heads, one)  zeros = Constant <value_ints: ints = [0, 0]>()
        rest = Constant <value_ints: ints = [-1]>()  apart = Concat <axis: int = 0>(zeros, heads1, rest)
        qh = Reshape(q, apart)  kh = Reshape(k, apart)  vh = Reshape(v, apart)
        qt = Transpose <perm: ints = [0, 2, 1, 3]>(qh)
        kt = Transpose <perm: ints = [0, 2, 3, 1]>(kh)
        vt = Transpose <perm: ints = [0, 2, 1, 3]>(vh)
        size = Shape <start: int = 3, end: int = 4>(qt)  sizes = CastLike(size, q)  root = Sqrt(sizes)
        scaled = Div(qt, root)  products = MatMul(scaled, kt)
        ends = Shape <start: int = 1, end: int = 2>(x)  end = Squeeze(ends)
        i = Constant <value_int: int = 0>()  j = Constant <value_int: int = 1>()  columns = Range(i, end, j)
        wide = Cast <to: int = 7>(lengths)  axes = Constant <value_ints: ints = [1, 2, 3]>()
        limits = Unsqueeze(wide, axes)  real = Less(columns, limits)
        unseen = Constant <value_float: float = -10000.0>()  unseen1 = CastLike(unseen, q)
        seen = Constant <value_float: float = 0.0>()  seen1 = CastLike(seen, q)
        mask = Where(real, seen1, unseen1)  masked = Add(products, mask)
        weights = Softmax <axis: int = -1>(masked)  context = MatMul(weights, vt)
        turned = Transpose <perm: ints = [0, 2, 1, 3]>(context)
        flat = Concat <axis: int = 0>(zeros, rest)  y = Reshape(turned, flat)""",
}
TEXTS = {
    INPUT_IDS: np.array([[5, 20, 29, 20, 19, 6], [5, 29, 6, 0, 0, 0]], np.int32),
    LENGTHS: np.array([6, 3], np.int32),
}


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with every fused operator put in place by onnx."""
    with_functions = onnx.ModelProto()
    with_functions.CopyFrom(model)
    for signature, body in FUNCTIONS.items():
        lines = body.replace("  ", "\n")
        with_functions.functions.append(parser.parse_function(f"{HEAD}{signature} {{\n{lines}\n}}"))
    names = [(function.domain, function.name) for function in with_functions.functions]
    return inliner.inline_selected_functions(with_functions, names)


def vectors(model: onnx.ModelProto, weights: Path) -> np.ndarray:
    """[2, D] of two texts; the graph lies beside its weights while it is run."""
    with tempfile.NamedTemporaryFile(dir=weights.parent, suffix=".onnx") as file:
        onnx.save(model, file.name)
        session = onnxruntime.InferenceSession(file.name, providers=["CPUExecutionProvider"])
        return np.asarray(session.run([NORMALIZED], TEXTS)[0])


def main() -> None:
    """Print a table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("artifact", type=Path)
    path = arguments.parse_args().artifact / "embed.fp32.onnx"
    fused = onnx.load(path, load_external_data=False)
    print(heading(), versions("onnx"), sep=", ")
    print("\n| graph | nodes | CastLike | Shape of a part | LpNormalization | from the fused graph |")
    print("|---|---:|---:|---:|---:|---:|")
    want = vectors(fused, path)
    for name, graph in (("fused", fused), ("standard_operators.py", standard(fused)), ("onnx.inliner", inlined(fused))):
        kinds = Counter(node.op_type for node in graph.graph.node)
        parts = sum(node.op_type == "Shape" and bool(node.attribute) for node in graph.graph.node)
        distance = np.abs(vectors(graph, path) - want).max()
        left = (len(graph.graph.node), kinds["CastLike"], parts, kinds["LpNormalization"])
        print(f"| {name} | {' | '.join(map(str, left))} | {distance:.1e} |")


if __name__ == "__main__":
    main()
