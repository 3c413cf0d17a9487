"""A checkpoint as transformers' own model: from safetensors alone, in eval mode. What it says is the reference."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from polyseme.export.encoders.encoder import EncoderConfig, Float32Array
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.routes.optimum.packages import one_line, quiet

Attention = Literal["eager", "sdpa"]
"""The implementation in transformers that computes attention; onnxruntime's optimizer knows the traces of either."""

# What would run code of the checkpoint's, load weights of another place, or change the arithmetic.
_DROPPED: Final = ("auto_map", "_name_or_path", "_attn_implementation", "attn_implementation", "dtype", "torch_dtype")
# Largest integer of a field whose name has such a part: modules are made, one by one, before any weight is looked at.
_LIMITS: Final = {
    "layer": 1 << 10,
    "group": 1 << 10,
    "position": 1 << 17,
    "size": 1 << 24,
    "dim": 1 << 18,
    "head": 1 << 10,
}
_MUST_BE_OFF: Final = ("quantization_config", "is_decoder", "is_causal", "is_encoder_decoder", "add_cross_attention")


def load_model(checkpoint: Checkpoint, attention: Attention = "eager") -> Any:  # noqa: ANN401  torch may not be there
    """Load the model that config.json describes, with every one of its weights, in float32 and eval mode.

    Raises:
        UnsupportedError: transformers does not know the architecture, or it is no encoder.
        CheckpointError: weights are missing, misshapen, left over, or not finite.
    """
    _refuse_wild_config(checkpoint)
    import torch
    import transformers

    with quiet(), _only_what_is_read(checkpoint) as folder:
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            with torch.device("meta"):  # shapes alone, no memory
                needed = sum(weight.numel() for weight in transformers.AutoModel.from_config(config).parameters())
            _refuse_larger_than_its_files(needed, folder)
            model, info = transformers.AutoModel.from_pretrained(
                folder,
                config=config,
                attn_implementation=attention,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, in one line
            )
        except CheckpointError:
            raise
        except Exception as error:  # whatever a class of transformers raises for a config it cannot take
            raise UnsupportedError(
                f"transformers {transformers.__version__} cannot load it: {one_line(error)}"
            ) from error
    _refuse_other_weights(model, info)
    return model.float().eval()


def read_config(model: Any) -> EncoderConfig:  # noqa: ANN401
    """Read the sizes of a model.

    Raises:
        UnsupportedError: one is not there, or its word table is narrower than its layers.
    """
    config = model.config
    hidden = _size(config, "hidden_size")
    vocab_size, width = word_table(model).shape
    if width != hidden:
        raise UnsupportedError(
            f"its word table has rows of {width}, its layers of {hidden}: static vectors need one width"
        )
    pad = config.pad_token_id or 0
    if not 0 <= pad < vocab_size:
        raise CheckpointError(f"config.json pad_token_id: got {pad}; limits 0..{vocab_size - 1}")
    return EncoderConfig(
        architecture=config.model_type,
        hidden_size=hidden,
        num_hidden_layers=_size(config, "num_hidden_layers"),
        num_attention_heads=_size(config, "num_attention_heads"),
        intermediate_size=_size(config, "intermediate_size", "hidden_dim"),
        vocab_size=vocab_size,
        max_position_embeddings=_positions(model),
        layer_norm_eps=float(getattr(config, "layer_norm_eps", 1e-12)),
        hidden_act=str(getattr(config, "hidden_act", getattr(config, "activation", "unknown")))[:64],
        pad_token_id=pad,
    )


def word_table(model: Any) -> Float32Array:  # noqa: ANN401
    """Give the rows of the word table, [V, H]."""
    table: Float32Array = model.get_input_embeddings().weight.detach().numpy()
    return table


def left_out(checkpoint: Checkpoint, model: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Weights of the checkpoint that the model has no part in, heads over it; a pooler is not among them."""
    prefix, known = f"{model.base_model_prefix}.", set(model.state_dict())
    return tuple(
        name
        for name in checkpoint
        if name not in known and name.removeprefix(prefix) not in known and "pooler." not in name
    )


def reference(model: Any, *, behind: bool = False) -> HiddenStates:  # noqa: ANN401
    """Make the reference of the model itself in float64, one text at a time: no padding, no mask. Widens it in place.

    Args:
        model: as `load_model` gave it.
        behind: whether it may compute more behind its last layer, a last LayerNorm; the last state is then the output
            of that. A traced graph has the output of the layer.

    Raises:
        UnsupportedError: it computes more, and may not.
    """
    import torch

    double = model.double().eval()

    def states(ids: list[int]) -> list[Float64Array]:
        with torch.inference_mode(), quiet():
            given = double(input_ids=torch.tensor([ids]), output_hidden_states=True, return_dict=True)
        if not behind and not torch.equal(given.last_hidden_state, given.hidden_states[-1]):
            raise UnsupportedError("its last hidden state is not what its last layer gives: it computes more behind it")
        return [state[0].numpy() for state in (*given.hidden_states[:-1], given.last_hidden_state)]

    def hidden_states(texts: list[list[int]]) -> Iterator[list[Float64Array]]:
        for layer in zip(*map(states, texts), strict=True):
            yield list(layer)

    return hidden_states


@contextmanager
def _only_what_is_read(checkpoint: Checkpoint) -> Iterator[Path]:
    """Make a folder of config.json and weights alone: without code, adapter or pickle that transformers could find."""
    config = {key: value for key, value in checkpoint.config.items() if key not in _DROPPED}
    with tempfile.TemporaryDirectory(prefix="polyseme-") as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        for file in (*checkpoint.weight_files, "model.safetensors.index.json"):
            if (checkpoint.directory / file).is_file():
                (folder / file).symlink_to((checkpoint.directory / file).resolve())
        yield folder


def _refuse_wild_config(checkpoint: Checkpoint) -> None:
    for field in _MUST_BE_OFF:
        if checkpoint.config.get(field):
            raise UnsupportedError(f"config.json {field} is set; the optimum route takes encoders in plain floats")
    for field, value in _integers(checkpoint.config):
        limit = min((most for part, most in _LIMITS.items() if part in field), default=None)
        if limit is not None and value > limit:
            raise UnsupportedError(f"config.json {ascii(field)[1:-1][:40]}: got {str(value)[:20]}; limit {limit}")


def _integers(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every one by its field's name, those of configs within the config too."""
    for field, value in config.items():
        if isinstance(value, Mapping):
            yield from _integers(value)
        elif isinstance(value, int):
            yield field, value


def _refuse_larger_than_its_files(needed: int, folder: Path) -> None:
    """No number takes less than a byte: a model of more numbers was never in these files, and could fill the memory."""
    there = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if needed > there:
        raise CheckpointError(f"config.json describes a model of {needed} numbers; its weight files have {there} bytes")


def _refuse_other_weights(model: Any, info: dict[str, Any]) -> None:  # noqa: ANN401
    """Refuse missing and left-over weights: loading makes up the first and drops the others, with a mere log line."""
    missing = sorted(name for name in info["missing_keys"] if "pooler." not in name)
    if missing:
        raise CheckpointError(f"weight {missing[0]} is missing, and {len(missing) - 1} more; they would be random")
    values = model.state_dict()
    for name in sorted(key if isinstance(key, str) else key[0] for key in info["mismatched_keys"]):
        raise CheckpointError(f"weight {name} has another shape than {list(values[name].shape)}, as config.json asks")
    parts = tuple(f"{name}." for name, _ in model.named_children() if name != "pooler")
    prefix = f"{model.base_model_prefix}."
    for name in sorted(info["unexpected_keys"]):
        if name.removeprefix(prefix).startswith(parts):
            raise CheckpointError(f"weight {name[:120]} has no place in the model that config.json describes")
    for name, tensor in values.items():
        if not np.isfinite(tensor.float().numpy()).all():
            raise CheckpointError(f"weight {name} has numbers that are not finite")


def _positions(model: Any) -> int:  # noqa: ANN401
    """Most tokens of a text. RoBERTa and its kin count positions from behind the padding's id."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == "position_embeddings" and hasattr(module, "num_embeddings"):
            reserved = 0 if module.padding_idx is None else int(module.padding_idx) + 1
            return int(module.num_embeddings) - reserved
    return _size(model.config, "max_position_embeddings")


def _size(config: Any, *fields: str) -> int:  # noqa: ANN401
    for field in fields:
        value = getattr(config, field, None)
        if type(value) is int and value > 0:
            return value
    raise UnsupportedError(f"config.json has no {fields[0]}, which is needed")
