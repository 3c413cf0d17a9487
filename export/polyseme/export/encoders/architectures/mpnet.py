"""MPNet (Song et al. 2020): BERT's layers with a bias by distance on every score, shared by all layers.

No token types; positions are counted as RoBERTa does, from behind a padding id of 1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.export.encoders.architectures import post_norm
from polyseme.export.encoders.architectures.reading import Fields, Weights, read_sizes
from polyseme.export.encoders.architectures.roberta import position_rows, used_positions, without_unused_positions
from polyseme.export.encoders.encoder import Encoder, EncoderConfig, Float32Array
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.export.reading.checkpoint import Checkpoint

FAMILY: Final = post_norm.Family(
    prefix="mpnet.",
    query="encoder.layer.{}.attention.attn.q",
    key="encoder.layer.{}.attention.attn.k",
    value="encoder.layer.{}.attention.attn.v",
    attention="encoder.layer.{}.attention.attn.o",
    attention_norm="encoder.layer.{}.attention.LayerNorm",
    intermediate="encoder.layer.{}.intermediate.dense",
    output="encoder.layer.{}.output.dense",
    output_norm="encoder.layer.{}.output.LayerNorm",
)
_BUCKETS: Final = 32
_MAX_DISTANCE: Final = 128  # from this distance on all have one bias; both are constants of the model's code


def read_config(checkpoint: Checkpoint) -> EncoderConfig:
    """Check config.json, and read the sizes; of the positions, those that a text can have."""
    # So they stand in the model's code: with another number of buckets transformers spreads the table as if it had 32.
    must_be = {"pad_token_id": 1, "relative_attention_num_buckets": _BUCKETS}
    sizes = read_sizes(checkpoint.config, Fields(), layer_norm_eps=1e-12, must_be=must_be, pad_token_id=1)
    return without_unused_positions(sizes)


def left_out(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Name the weights that have no part in the encoder."""
    return FAMILY.weights(checkpoint).left_out


def read_encoder(checkpoint: Checkpoint, config: EncoderConfig) -> Encoder:
    """Map the weights."""
    weights = FAMILY.weights(checkpoint)
    by_bucket = _bias_by_bucket(weights, config)
    most = config.max_position_embeddings - 1
    distances = np.arange(-most, most + 1)
    relative_bias = np.ascontiguousarray(by_bucket[_bucket(distances)].T)
    positions = used_positions(weights, config).astype(np.float64)
    return post_norm.read_encoder(weights, config, FAMILY, positions, relative_bias)


def reference(checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
    """Make the forward pass of MPNetModel in float64."""
    weights = FAMILY.weights(checkpoint)
    by_bucket = _bias_by_bucket(weights, config).astype(np.float64)

    @lru_cache(maxsize=1)  # 25 MB for 512 tokens; texts come in groups of one length
    def bias(length: int) -> Float64Array:
        places = np.arange(length)
        return by_bucket[_bucket(places - places[:, None])].transpose(2, 0, 1)

    rows = position_rows(weights, config)
    return post_norm.reference(weights, config, FAMILY, rows, bias)


def _bias_by_bucket(weights: Weights, config: EncoderConfig) -> Float32Array:
    """[buckets, N]."""
    return weights("encoder.relative_attention_bias.weight", _BUCKETS, config.num_attention_heads)


def _bucket(distance: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the bucket of a key that lies so many tokens behind its query.

    Half of the buckets are for keys before the query; of each half, one half has a bucket for each distance, and the
    other ever wider ones.

    Source: Raffel et al. 2020 (T5), section 2.1.
    """
    half = _BUCKETS // 2
    exact = half // 2
    far = np.abs(distance)
    with np.errstate(divide="ignore"):
        # float32, as the model computes it: at the borders of buckets it decides which one is taken.
        steps = np.log(far.astype(np.float32) / np.float32(exact)) / np.float32(np.log(_MAX_DISTANCE / exact))
    wide = exact + np.where(far >= exact, steps * np.float32(half - exact), 0).astype(np.int64)
    within: npt.NDArray[np.int64] = np.where(far < exact, far, np.minimum(wide, half - 1))
    return within + np.where(distance > 0, half, 0)
