"""The difference between two artifacts on given texts: of vectors of texts, and of tokens in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyseme.artifact import TOKENIZER, Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED, TOKEN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.onnxruntime.devices import choose_device
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate
from polyseme.runtime.verification.vectors import cosines

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference between two artifacts on one text.

    Attributes:
        tokens: number of its tokens in each artifact, cut to its limit.
        cosine: of its two vectors; None where they have different lengths.
        layers: the least cosine of a token's two vectors in layers 0..L; None where the tokens, the width or the number
            of layers differ.
    """

    tokens: tuple[int, int]
    cosine: float | None
    layers: tuple[float, ...] | None


def compare(a: Artifact, b: Artifact, texts: Sequence[str]) -> list[Difference]:
    """Run every text through both artifacts, on the CPU, one text at a time.

    Raises:
        RuntimeUnavailableError: a graph cannot be loaded.
        TokenizerError: a tokenizer cannot be used.
        ValueError: a text has no token.
    """
    one, other = _Model(a), _Model(b)
    comparable = all(
        getattr(a.manifest.model.encoder, size) == getattr(b.manifest.model.encoder, size)
        for size in ("hidden_size", "num_hidden_layers")
    )
    return [_compare(one, other, text, comparable=comparable) for text in texts]


def _compare(one: _Model, other: _Model, text: str, *, comparable: bool) -> Difference:
    ids = one.encode(text), other.encode(text)
    vectors = one.embed(ids[0]), other.embed(ids[1])
    layers = None
    if comparable and ids[0] == ids[1]:
        layers = tuple(
            float(cosines(mine, theirs).min())
            for mine, theirs in zip(one.states(ids[0]), other.states(ids[1]), strict=True)
        )
    same_size = vectors[0].shape == vectors[1].shape
    return Difference(
        tokens=(len(ids[0]), len(ids[1])),
        cosine=float(cosines(*vectors)[0]) if same_size else None,
        layers=layers,
    )


class _Model:
    """An artifact, ready to run."""

    def __init__(self, artifact: Artifact) -> None:
        self._spec = artifact.manifest.model
        self._tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=self._spec.encoder.vocab_size)
        self._engine = PaddedEngine(artifact, choose_device("cpu", artifact), intra_op_threads=0)

    def encode(self, text: str) -> list[int]:
        """Give the ids of a text, cut to the limit."""
        options = EncodeOptions(limit=self._spec.max_tokens, truncate=Truncate.END)
        ids: list[int] = self._tokenizer.encode([text], options)[0].ids.tolist()
        return ids

    def embed(self, ids: list[int]) -> Float32Array:
        """[1, D], of length 1."""
        (vectors,) = self._engine.run(Variant.EMBED, self._engine.collate([ids]), [NORMALIZED])
        return vectors

    def states(self, ids: list[int]) -> Float32Array:
        """[L + 1, T, H], from the embedding layer on."""
        batch = self._engine.collate([ids])
        every = every_state(batch, self._spec.encoder.num_hidden_layers)
        (vectors,) = self._engine.run(Variant.LAYERS, batch, [TOKEN_VECTORS], every)
        states: Float32Array = vectors[1:]
        return states
