"""Reads config.json and weights for the mappings; every refusal says what, got, limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from polyseme.export.encoders.encoder import EncoderConfig, Float32Array, LayerNorm
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint

_EXACT_GELU: Final = ("gelu", "gelu_python")  # two names of x * Phi(x), by erf
_MOST: Final = {"hidden_size": 1 << 16, "num_hidden_layers": 1 << 10, "num_attention_heads": 1 << 10,
         "intermediate_size": 1 << 18, "vocab_size": 1 << 24, "max_position_embeddings": 1 << 17}  # fmt: skip
_ALIASES: Final = ("hidden_size", "num_hidden_layers", "num_attention_heads")  # every family's, beside names of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The names of a family's sizes in config.json; the defaults are BERT's names."""

    hidden_size: str = "hidden_size"
    num_hidden_layers: str = "num_hidden_layers"
    num_attention_heads: str = "num_attention_heads"
    intermediate_size: str = "intermediate_size"
    hidden_act: str = "hidden_act"


def read_sizes(
    config: Mapping[str, Any],
    fields: Fields,
    *,
    layer_norm_eps: float,
    must_be: Mapping[str, Any],
    pad_token_id: int = 0,
) -> EncoderConfig:
    """Check the fields that all families have, and read the sizes.

    Args:
        config: config.json.
        fields: the family's names for them.
        layer_norm_eps: the value where config.json has none.
        must_be: fields that, where they are there, must have a value.
        pad_token_id: the value where config.json has none.

    Raises:
        UnsupportedError: an activation or a variant that the graph would not compute.
        CheckpointError: a size is missing or makes no sense.
    """
    activation = config.get(fields.hidden_act, "gelu")
    if activation not in _EXACT_GELU:
        raise UnsupportedError(f"config.json {fields.hidden_act} {str(activation)[:40]!r} is not supported; gelu is")
    if config.get("quantization_config"):  # transformers would compute with other weights than those in the files
        raise UnsupportedError("config.json quantization_config is set; weights in plain floats are supported")
    if config.get("is_causal"):
        raise UnsupportedError("config.json is_causal is set; encoders whose tokens see both sides are supported")
    for name in _ALIASES:
        told, field = config.get(name), getattr(fields, name)
        if told is not None and told != config.get(field):  # transformers takes it for another name of the field
            raise CheckpointError(
                f"config.json has {name} {ascii(told)[:40]} and {field} {ascii(config.get(field))[:40]}"
            )
    for field, needed in must_be.items():
        if config.get(field, needed) != needed:
            raise UnsupportedError(f"config.json {field} {str(config[field])[:40]!r} is not supported; {needed!r} is")
    sizes = {name: integer(config, getattr(fields, name, name), most) for name, most in _MOST.items()}
    hidden, heads = sizes["hidden_size"], sizes["num_attention_heads"]
    if hidden % heads:
        raise CheckpointError(
            f"config.json {fields.hidden_size} {hidden} is not a multiple of {fields.num_attention_heads} {heads}"
        )
    eps = config.get("layer_norm_eps", layer_norm_eps)
    if type(eps) not in (int, float) or not 0 <= eps < 1:
        raise CheckpointError(f"config.json layer_norm_eps: expected a number within 0..1, got {str(eps)[:40]!r}")
    return EncoderConfig(
        architecture=config["model_type"],
        layer_norm_eps=float(eps),
        hidden_act="gelu",
        pad_token_id=_pad_token_id(config, sizes["vocab_size"], pad_token_id),
        **sizes,
    )


def integer(config: Mapping[str, Any], field: str, most: int, default: int | None = None) -> int:
    """Read a size.

    Raises:
        CheckpointError: it is no integer within 1..most.
    """
    value = config.get(field, default)
    if type(value) is not int or not 1 <= value <= most:
        raise CheckpointError(f"config.json {field}: expected an integer within 1..{most}, got {str(value)[:40]!r}")
    return value


def _pad_token_id(config: Mapping[str, Any], vocab_size: int, default: int) -> int:
    value = config.get("pad_token_id")
    value = default if value is None else value
    if type(value) is not int or not 0 <= value < vocab_size:
        raise CheckpointError(f"config.json pad_token_id: got {str(value)[:40]!r}; limits 0..{vocab_size - 1}")
    return value


_WRAPPERS: Final = ("", "model.", "auto_model.", "0.auto_model.", "0.model.")
"""Prefixes of the names where the encoder was saved as a part: by sentence-transformers, by trainers."""


class Weights:
    """The weights of an encoder by its family's names, whatever prefix and age the checkpoint has.

    Each must be asked for: see `refuse_leftovers`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        prefix: str,
        roots: tuple[str, ...],
        buffers: tuple[str, ...],
        *,
        words: str = "embeddings.word_embeddings.weight",
    ) -> None:
        """Find the prefix of the names: that of a model with a head, or of a larger model with this encoder in it.

        Args:
            checkpoint: holds the weights.
            prefix: the prefix in models with a head.
            roots: the beginnings of the names of an encoder's weights.
            buffers: weights that are not learned, and may be there.
            words: the name of the word table.

        Raises:
            CheckpointError: the encoder is there twice.
        """
        self._checkpoint = checkpoint
        prefixes = dict.fromkeys(outer + inner for outer in _WRAPPERS for inner in ("", prefix))
        found = [known + words for known in prefixes if known + words in checkpoint]
        if len(found) > 1:
            raise CheckpointError(f"the weights hold two encoders: {found[0]} and {found[1]}")
        self._prefix = found[0].removesuffix(words) if found else ""
        self._roots = tuple(self._prefix + root for root in roots)
        self._taken = {self._prefix + name for name in buffers}

    def __call__(self, name: str, *shape: int) -> Float32Array:
        """Read the weight of a name, in the shape that it must have."""
        self._taken.add(self._prefix + name)
        return self._checkpoint.tensor(self._prefix + name, shape)

    def norm(self, name: str, size: int) -> LayerNorm:
        """Read a LayerNorm; checkpoints from TensorFlow call its parts gamma and beta."""
        old = self._prefix + name + ".gamma" in self._checkpoint
        scale, shift = (".gamma", ".beta") if old else (".weight", ".bias")
        return LayerNorm(weight=self(name + scale, size), bias=self(name + shift, size))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Name the weights over the encoder, or beside it; but not those of a pooler, which nobody misses."""
        return tuple(name for name in self._checkpoint if not name.startswith(self._roots) and "pooler." not in name)

    def refuse_leftovers(self) -> None:
        """Refuse weights of the encoder that nobody asked for: config.json then describes another model.

        Raises:
            CheckpointError: there is such a weight.
        """
        for name in self._checkpoint:
            if name.startswith(self._roots) and name not in self._taken:
                raise CheckpointError(f"weight {name[:120]} has no place in the model that config.json describes")
