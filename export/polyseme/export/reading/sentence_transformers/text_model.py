"""Reads a sentence-transformers folder: pooling, length and prompts, from modules.json and its companions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from polyseme.artifact import Pooling
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import read_json
from polyseme.export.reading.sentence_transformers.dense import DenseModule, cut_to, read_dense, to_length_one
from polyseme.export.reading.sentence_transformers.matryoshka import read_matryoshka_dims, read_truncate_dim
from polyseme.export.reading.sentence_transformers.modules import Module, read_modules
from polyseme.export.reading.sentence_transformers.transformer_module import TransformerModule, read_transformer_module

_MOST_DENSE: Final = 16  # a cut counts as one, and a Normalize before it
_CONFIG: Final = "config_sentence_transformers.json"
_MODES: Final = {pooling.value: pooling for pooling in Pooling}
_LEGACY: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


_OF_POOLING: Final = (*_LEGACY, "pooling_mode", "word_embedding_dimension", "embedding_dimension", "include_prompt")
_SIMILARITIES: Final = ("cosine", "dot", "euclidean", "manhattan")
_ASSUMED: Final = ("query", "document")  # prompts of every model, empty where it says nothing of them

Dimensions: TypeAlias = Literal["model", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """The way from token vectors to the vector of a text.

    Attributes:
        pooling_assumed: whether the folder does not name the pooling, so that a default was taken.
        normalizes: whether a Normalize module comes last.
        dimensions: length of the vector.
        transformer: how texts are read.
        dense: the layers after the pooling, each taking the vectors of the one before it.
        matryoshka_dims: lengths to which vectors may be cut.
        similarity: how the model's authors compare two vectors.
        pools_prompt: whether the tokens of a prompt have a part in the pooling.
        left_out: files and keys that are not obeyed, as they change no vector.
    """

    pooling: Pooling
    pooling_assumed: bool
    normalizes: bool
    dimensions: int
    transformer: TransformerModule = field(default_factory=TransformerModule)
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str = ""
    dense: tuple[DenseModule, ...] = ()
    matryoshka_dims: tuple[int, ...] = ()
    similarity: str = "cosine"
    pools_prompt: bool = True
    left_out: tuple[str, ...] = ()


def read_text_model(directory: Path, hidden_size: int, dimensions: Dimensions = "model") -> TextModel:
    """Read the folder; one without modules.json is a bare encoder.

    Args:
        directory: with modules.json.
        hidden_size: of the encoder.
        dimensions: `model` cuts vectors to truncate_dim where the folder has one, `all` cuts none.

    Raises:
        UnsupportedError: a module or pooling mode that would not be computed.
        CheckpointError: a file cannot be read, or does not fit the encoder.
    """
    modules = read_modules(directory)
    if not modules:
        return TextModel(
            pooling=_assumed(directory),
            pooling_assumed=True,
            normalizes=False,
            dimensions=hidden_size,
            prompts=dict.fromkeys(_ASSUMED, ""),
            matryoshka_dims=read_matryoshka_dims(directory, hidden_size),
        )
    config = read_json(directory / _CONFIG) if (directory / _CONFIG).is_file() else {}
    kind = config.get("model_type")
    if kind not in (None, "SentenceTransformer"):
        raise UnsupportedError(f"{_CONFIG} model_type {ascii(kind)[:40]} is not supported; SentenceTransformer is")
    prompts, default = _prompts(config)
    transformer, pooling, *rest = modules
    dense, full, normalizes = _head(rest, hidden_size)
    size = min(read_truncate_dim(directory) or full, full) if dimensions == "model" else full
    if size < full:  # sentence-transformers cuts what Normalize gave: the cut vector is shorter than 1
        dense += [*([to_length_one(full)] if normalizes else []), cut_to(full, size)]
        normalizes = False
    if len(dense) > _MOST_DENSE:
        raise UnsupportedError(f"the model has {len(dense)} dense layers; limit {_MOST_DENSE}")
    how_read = read_transformer_module(transformer.folder)
    unknown = [key for module in dense for key in module.unknown]
    how_pooled = _read_pooling(pooling.folder, hidden_size)
    return TextModel(
        pooling=_pooling(pooling.folder, how_pooled),
        pooling_assumed=False,
        normalizes=normalizes,
        dimensions=size,
        transformer=how_read,
        prompts=prompts,
        default_prompt_name=default,
        dense=tuple(dense),
        matryoshka_dims=tuple(length for length in read_matryoshka_dims(directory, full) if length <= size),
        similarity=_similarity(config),
        pools_prompt=bool(how_pooled.get("include_prompt", True)) or not any(prompts.values()),
        left_out=(*how_read.left_out, *unknown),
    )


def _assumed(directory: Path) -> Pooling:
    """Choose sentence-transformers' pooling of a bare encoder: the last token where it was trained to go on."""
    path = directory / "config.json"
    config = read_json(path) if path.is_file() else {}
    trained_as = config.get("architectures") or [""]
    is_causal = str(trained_as[0]).endswith("ForCausalLM") and config.get("is_causal", True)
    return Pooling.LAST_TOKEN if is_causal else Pooling.MEAN


def _read_pooling(directory: Path, hidden_size: int) -> Mapping[str, Any]:
    config = read_json(directory / "config.json")
    for key in sorted(set(config) - set(_OF_POOLING)):
        if config[key]:
            raise UnsupportedError(f"{directory.name} {ascii(key)[1:-1][:40]} is not supported")
    width = config.get("word_embedding_dimension", config.get("embedding_dimension", hidden_size))
    if width != hidden_size:
        raise CheckpointError(f"{directory.name} pools vectors of {str(width)[:20]}; the encoder's have {hidden_size}")
    return config


def _pooling(directory: Path, config: Mapping[str, Any]) -> Pooling:
    modes = config["pooling_mode"] if "pooling_mode" in config else _legacy_modes(config)
    modes = modes if isinstance(modes, list) else [modes]
    if len(modes) != 1 or not isinstance(modes[0], str) or modes[0] not in _MODES:
        shown = ", ".join(map(str, modes))[:80]
        raise UnsupportedError(
            f"{directory.name} pools by {shown or 'nothing'}; one of {', '.join(_MODES)} is supported"
        )
    return _MODES[modes[0]]


def _head(modules: Sequence[Module], size: int) -> tuple[list[DenseModule], int, bool]:
    """Read the modules after the pooling: dense layers, the length of their vectors, whether it is scaled to 1."""
    dense: list[DenseModule] = []
    normalizes = False
    for module in modules:
        if module.kind == "Normalize":
            _refuse_other_names(module.folder)
            normalizes = True
        elif module.kind == "Dense":  # of a Dropout nothing is left where nobody trains
            dense += [to_length_one(size)] if normalizes else []
            dense.append(read_dense(module.folder, size))
            size, normalizes = dense[-1].spec.out_features, False
    return dense, size, normalizes


def _legacy_modes(config: Mapping[str, Any]) -> list[Any]:
    """Read the modes of a config that has a yes or no for each; mean where none has a yes."""
    return [mode for key, mode in _LEGACY.items() if config.get(key)] or ["mean"]


def _refuse_other_names(folder: Path) -> None:
    """Refuse a Normalize of something else than the vector of a text."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    for key in ("module_input_name", "module_output_name"):
        if config.get(key) not in (None, "sentence_embedding"):
            raise UnsupportedError(f"{folder.name} {key} {ascii(config[key])[:40]} is not supported")


def _is_text(value: str) -> bool:
    """Tell whether a string can be written as UTF-8: half a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _prompts(config: Mapping[str, Any]) -> tuple[Mapping[str, str], str]:
    told, default = config.get("prompts") or {}, config.get("default_prompt_name") or ""
    if not isinstance(told, dict):
        raise CheckpointError(f"{_CONFIG} prompts: expected texts by name")
    prompts = {**told, **{name: told.get(name) for name in _ASSUMED}}
    prompts = {name: "" if text is None else text for name, text in prompts.items()}
    if not all(isinstance(text, str) and _is_text(text) for text in prompts.values()):
        raise CheckpointError(f"{_CONFIG} prompts: expected texts by name")
    if not isinstance(default, str) or (default and default not in prompts):
        raise CheckpointError(f"{_CONFIG} default_prompt_name {str(default)[:40]!r} is not one of its prompts")
    return prompts, default


def _similarity(config: Mapping[str, Any]) -> str:
    told = config.get("similarity_fn_name")
    if told is not None and told not in _SIMILARITIES:
        raise UnsupportedError(
            f"{_CONFIG} similarity_fn_name {ascii(told)[:40]} is not supported; {', '.join(_SIMILARITIES)} are"
        )
    return told or "cosine"
