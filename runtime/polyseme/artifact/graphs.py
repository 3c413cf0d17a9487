"""The names on an artifact's graphs: what a session feeds, and what it can fetch.

Every variant takes texts that are padded on the right; what stands behind a text's length is never attended to and may
be any valid id.

    input_ids   int32 [B, S]   ids in the vocabulary
    lengths     int32 [B]      real tokens of each text, 1..S

Variant `embed` gives one vector per text:

    pooled      float32 [B, D]
    normalized  float32 [B, D], length 1

Variant `layers` gives vectors of tokens and spans. Only what is asked for leaves the session: tokens are gathered,
layers joined and spans pooled inside the graph. It takes three more inputs:

    positions      int32   [P]          which tokens: row * S + column in input_ids
    layer_weights  float32 [C, L + 2]   C sums over the states of a token: its row of the word table ("static"), the
                                        embedding layer's output (word + position + type, normalized), layers 1..L
    span_weights   float32 [K, P]       K sums over the tokens; K may be 0

    token_vectors  float32 [C, P, H]
    span_vectors   float32 [C, K, H]
"""

from __future__ import annotations

from enum import Enum
from typing import Final

INPUT_IDS: Final = "input_ids"
LENGTHS: Final = "lengths"
POOLED: Final = "pooled"
NORMALIZED: Final = "normalized"
POSITIONS: Final = "positions"
LAYER_WEIGHTS: Final = "layer_weights"
SPAN_WEIGHTS: Final = "span_weights"
TOKEN_VECTORS: Final = "token_vectors"  # noqa: S105  no password
SPAN_VECTORS: Final = "span_vectors"


class Variant(Enum):
    """Which graph over the shared weights."""

    EMBED = "embed"
    LAYERS = "layers"
