"""The names on an artifact's graphs: what a session feeds, and what it can fetch.

Padded graphs take texts that are padded on the right; what stands behind a text's length is never attended to and may
be any valid id.

    input_ids   int32 [B, S]   ids in the vocabulary
    lengths     int32 [B]      real tokens of each text, 1..S

and, of models with a `padding_idx`, `position_ids` int32 [B, S]: each token's row of the position table.

Packed graphs take the T tokens of all texts one after another, with nothing between them:

    input_ids           int32 [1, T]
    position_ids        int32 [1, T]    its row of the position table: its place, unless there is a `padding_idx`
    text_ids            int32 [1, T]    which text each token is of
    texts               int32 [B, 1]    0, 1, 2, ... B - 1
    cumulative_lengths  int32 [B + 1]   where each text begins; T at the end
    token_offset        int32 [B, S]    its shape alone is read: how many texts, at most how many tokens each

Variant `embed` gives one vector per text:

    pooled      float32 [B, D]
    normalized  float32 [B, D], length 1

Variant `layers` gives vectors of tokens and spans. Only what is asked for leaves the session: tokens are gathered,
layers joined and spans pooled inside the graph. It takes four more inputs:

    positions      int32   [P]          which tokens, as places in input_ids read row by row
    layer_weights  float32 [C, L + 2]   C sums over the states of a token: its row of the word table ("static"), the
                                        embedding layer's output (word + position + type, normalized), layers 1..L
    span_tokens    int32   [G, M]       in each of G groups, M of the P tokens
    span_weights   float32 [G, K, M]    K sums over the tokens of each group

    token_vectors  float32 [C, P, H]
    span_vectors   float32 [C, G, K, H]

Packed graphs have each output in float16 too, named by `half`: half the bytes to be copied from a GPU.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

INPUT_IDS: Final = "input_ids"
LENGTHS: Final = "lengths"
POSITION_IDS: Final = "position_ids"
TEXT_IDS: Final = "text_ids"
TEXTS: Final = "texts"
CUMULATIVE_LENGTHS: Final = "cumulative_lengths"
TOKEN_OFFSET: Final = "token_offset"  # noqa: S105  no password
LONGEST_STEP: Final = 8  # S of packed texts is a multiple of it: rows of biased scores have to be aligned
POOLED: Final = "pooled"
NORMALIZED: Final = "normalized"
POSITIONS: Final = "positions"
LAYER_WEIGHTS: Final = "layer_weights"
SPAN_TOKENS: Final = "span_tokens"
SPAN_WEIGHTS: Final = "span_weights"
TOKEN_VECTORS: Final = "token_vectors"  # noqa: S105  no password
SPAN_VECTORS: Final = "span_vectors"
_HALF: Final = ".fp16"


def half(output: str) -> str:
    """Name an output in float16."""
    return output + _HALF


def in_float32(output: str) -> str:
    """Name the same output in float32; `output` may be the name of either."""
    return output.removesuffix(_HALF)


class Variant(StrEnum):
    """The graphs over the shared weights that export writes, by the names that a manifest gives them."""

    EMBED = "embed"
    LAYERS = "layers"


class Layout(Enum):
    """The layouts of texts in a batch: each in a row of its own, padded, or one after another."""

    PADDED = "padded"
    PACKED = "packed"
