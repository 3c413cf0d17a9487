"""The names on an artifact's graphs: what a session feeds, and what it can fetch.

Every variant takes the same two inputs. Texts are padded on the right; what stands behind a text's length is never
attended to and may be any valid id.

    input_ids   int32 [B, S]   ids in the vocabulary
    lengths     int32 [B]      real tokens of each text, 1..S

    variant `embed`                             variant `layers`
    pooled      float32 [B, D]                  static_embeddings  float [B, S, H]  rows of the word table
    normalized  float32 [B, D], length 1        hidden_states.0    float [B, S, H]  word + position + type, normalized
                                                hidden_states.i    float [B, S, H]  encoder layer i of 1..L

`float` is the precision of the weights.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

INPUT_IDS: Final = "input_ids"
LENGTHS: Final = "lengths"
POOLED: Final = "pooled"
NORMALIZED: Final = "normalized"
STATIC_EMBEDDINGS: Final = "static_embeddings"


class Variant(Enum):
    """Which graph over the shared weights."""

    EMBED = "embed"
    LAYERS = "layers"


def hidden_state(layer: int) -> str:
    """The output that holds layer 0 (embeddings) to L (last encoder layer)."""
    return f"hidden_states.{layer}"
