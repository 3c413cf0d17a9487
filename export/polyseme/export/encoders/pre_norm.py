"""An encoder that normalizes before each block, turns queries and keys by their place, and gates its feed-forward.

    x_0     = LayerNorm(word[id])
    y       = x + Attention(norm(x)) W_o                 norm of layer 0 is none
    x_{i+1} = y + (gelu(n W_a) * (n W_g)) W_out          n = norm(y)
    last    = LayerNorm(x_L)

Some layers attend to all tokens, the others to those within a window. Matrices are stored input-first, without biases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from onnx import helper

from polyseme.artifact.graphs import INPUT_IDS, LENGTHS
from polyseme.export.encoders.encoder import EncoderConfig, Float32Array
from polyseme.export.graphs.nodes import CONTRIB, UNSEEN, hidden_state
from polyseme.export.graphs.padded import PaddedNodes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreNormLayer:
    """One layer.

    Attributes:
        attention_norm: [H]; None where what comes in is normalized already.
        query: [H, H], and so key, value and attention.
        intermediate: [H, 2I], what gelu takes, then the gate.
        output: [I, H].
        is_local: whether it attends within the window alone.
    """

    attention_norm: Float32Array | None
    query: Float32Array
    key: Float32Array
    value: Float32Array
    attention: Float32Array
    output_norm: Float32Array
    intermediate: Float32Array
    output: Float32Array
    is_local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreNormEncoder:
    """An encoder with its weights.

    Attributes:
        window: how many tokens to each side a local layer sees.
        thetas: base of the angles of global layers, and of local ones.
    """

    config: EncoderConfig
    word_embeddings: Float32Array
    embedding_norm: Float32Array
    layers: tuple[PreNormLayer, ...]
    final_norm: Float32Array
    window: int
    thetas: tuple[float, float]

    def initializers(self) -> Iterator[tuple[str, Float32Array]]:
        """Give every weight by its name in graphs and manifest, in order of use.

        The shapes are those of the attributes, of this class and of `PreNormLayer`.
        """
        yield "embeddings.word", self.word_embeddings
        yield "embeddings.norm.weight", self.embedding_norm
        for kind, theta in zip(_KINDS, self.thetas, strict=True):
            for name, values in _angles(self.config, theta).items():
                yield f"rotary.{kind}.{name}", values
        for number, layer in enumerate(self.layers):
            at = f"layers.{number}."
            if layer.attention_norm is not None:
                yield at + "attention.norm.weight", layer.attention_norm
            for name in ("query", "key", "value", "attention"):
                yield f"{at}{name}.weight", getattr(layer, name)
            yield at + "output.norm.weight", layer.output_norm
            yield at + "intermediate.weight", layer.intermediate
            yield at + "output.weight", layer.output
        yield "final.norm.weight", self.final_norm

    def packed_initializers(self) -> Iterator[tuple[str, Float32Array]]:
        """Give None: no packed attention has a window, so there are no shapes to name."""
        return iter(())

    def nodes(self) -> PreNormNodes:
        """Make the nodes of its graph."""
        return PreNormNodes(self.config, window=self.window, is_local=tuple(layer.is_local for layer in self.layers))


_KINDS: Final = ("global", "local")


def _angles(config: EncoderConfig, theta: float) -> dict[str, Float32Array]:
    """Cosine and sine of each place and pair of elements, [P, h / 2]. Source: Su et al. 2021 (RoFormer), 3.2."""
    half = config.hidden_size // config.num_attention_heads // 2
    turns = theta ** (-np.arange(half) / half)
    angles = np.arange(config.max_position_embeddings)[:, None] * turns
    return {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}


@dataclass(slots=True, kw_only=True)
class PreNormNodes(PaddedNodes):
    """The graph, for padded texts."""

    window: int
    is_local: tuple[bool, ...]

    def encode(self) -> str:
        """Add the nodes from ids to the last hidden state; give its name."""
        x = self._embed()
        self._spread_window()
        normalized = x
        for number, is_local in enumerate(self.is_local):
            at, last = f"layers.{number}.", number + 1 == len(self.is_local)
            attended = self._attend(normalized, at, is_local=is_local)
            n, y = self._add_and_norm(attended, x, at + "output.norm.weight", (at + "between", at + "between.sum"))
            inner = self.add("MatMul", [n, at + "intermediate.weight"], at + "intermediate")
            halves = [at + "activated", at + "gate"]
            self.nodes.append(helper.make_node("Split", [inner], halves, name=at + "halves", axis=-1))
            gelu = self.add("Gelu", [halves[0]], at + "gelu", domain=CONTRIB)
            gated = self.add("Mul", [gelu, halves[1]], at + "gated")
            outer = self.add("MatMul", [gated, at + "output.weight"], at + "output")
            norm = "final.norm.weight" if last else f"layers.{number + 1}.attention.norm.weight"
            names = (hidden_state(number + 1), at + "sum") if last else (at + "next", hidden_state(number + 1))
            normalized, x = self._add_and_norm(outer, y, norm, names)
        return hidden_state(len(self.is_local))

    def _embed(self) -> str:
        word = self.add("Gather", ["embeddings.word", INPUT_IDS], "embeddings.gathered")
        epsilon = self.config.layer_norm_eps
        return self.add(
            "LayerNormalization", [word, "embeddings.norm.weight"], hidden_state(0), axis=-1, epsilon=epsilon
        )

    def _attend(self, x: str, at: str, *, is_local: bool) -> str:
        kind = _KINDS[is_local]
        query, key, value = (
            self.add("MatMul", [x, f"{at}{part}.weight"], at + part) for part in ("query", "key", "value")
        )
        start = self.shared("rotary.start", np.array([0]))
        turned = [
            self.add(
                "RotaryEmbedding",
                [part, start, f"rotary.{kind}.cos", f"rotary.{kind}.sin"],
                part + ".turned",
                domain=CONTRIB,
                num_heads=self.config.num_attention_heads,
            )
            for part in (query, key)
        ]
        context = self.add(
            "MultiHeadAttention",
            [*turned, value, "", LENGTHS, *(["window.scores"] if is_local else [])],
            at + "context",
            domain=CONTRIB,
            num_heads=self.config.num_attention_heads,
        )
        return self.add("MatMul", [context, at + "attention.weight"], at + "attention")

    def _spread_window(self) -> None:
        """Add the mask [1, 1, S, S] that keeps local layers within their window; once, for all of them."""
        if not any(self.is_local):
            return
        distance = self.add("Abs", [self.distances()], "window.distance")
        near = self.constant("window.most", np.int64(self.window))
        beyond = self.add("Greater", [distance, near], "window.beyond")
        scores = [self.constant("window.unseen", np.float32(UNSEEN)), self.constant("window.seen", np.float32(0))]
        square = self.add("Where", [beyond, *scores], "window.square")
        own = self.add("CastLike", [square, "embeddings.norm.weight"], "window.own")  # of the graph's precision
        self.add("Unsqueeze", [own, self.constant("window.batch", np.array([0, 1]))], "window.scores")

    def _add_and_norm(self, x: str, skip: str, weight: str, names: tuple[str, str]) -> tuple[str, str]:
        """LayerNorm(x + skip), and the sum."""
        self.add(
            "SkipLayerNormalization", [x, skip, weight], names[0], domain=CONTRIB, epsilon=self.config.layer_norm_eps
        )
        self.nodes[-1].output.extend(["", "", names[1]])
        return names
