"""One pass of an artifact's encoder over texts: vectors of each token, in every layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyseme.artifact import Artifact
from polyseme.export.fitting.tokens.tokens import TaggedTexts
from polyseme.export.fitting.vectors import Float32Array, refuse_too_many, run_all_layers
from polyseme.runtime.tasks.layers import LayerVectors


def vectors_of_tokens(
    artifact: Artifact, texts: TaggedTexts, progress: Callable[[int], None] = lambda _: None
) -> Float32Array:
    """Embed the tokens of texts in all layers.

    Args:
        artifact: whose encoder runs, on this machine's CPU.
        texts: N texts of T tokens in all.
        progress: is told how many more texts are done.

    Returns:
        [L + 1, T, H]: layers 0..L, token after token, text after text.

    Raises:
        FitError: the vectors would not fit: got, limit.
        RuntimeUnavailableError: a graph cannot be loaded.
    """
    encoder = artifact.manifest.model.encoder
    firsts = texts.firsts.tolist()
    refuse_too_many(artifact, firsts[-1], 1, "tokens")
    vectors = np.empty((encoder.num_hidden_layers + 1, firsts[-1], encoder.hidden_size), dtype=np.float32)

    def keep(text: int, share: Float32Array) -> None:
        vectors[:, firsts[text] : firsts[text + 1]] = share

    run_all_layers(
        artifact,
        [one.ids for one in texts.texts],
        lambda text, mix: LayerVectors(mix, encoder.hidden_size, texts.texts[text].rows),
        keep,
        progress,
    )
    return vectors
