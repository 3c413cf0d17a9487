"""What a sentence-transformers folder says of pooling, length and prompts: modules.json and its companions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyseme.artifact import Pooling
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import read_json, read_json_value
from polyseme.export.reading.dense import DenseModule, read_dense
from polyseme.export.reading.matryoshka import read_matryoshka_dims

_MOST_DENSE = 16
_MODES = {pooling.value: pooling for pooling in Pooling}
_ORDER = re.compile(f"Transformer( Pooling( Dense){{0,{_MOST_DENSE}}}( Normalize)?)?")
_LEGACY = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """How token vectors become the vector of a text.

    Attributes:
        pooling_assumed: the folder does not say, and mean was taken.
        normalizes: a Normalize module follows.
        dimensions: length of the vector.
        max_tokens: most tokens of a text; None where the folder does not say.
        lower_cases: texts are lower-cased before the tokenizer sees them.
        dense: the layers after the pooling, each taking what the one before it gives.
        matryoshka_dims: lengths to which vectors may be cut.
    """

    pooling: Pooling
    pooling_assumed: bool
    normalizes: bool
    dimensions: int
    max_tokens: int | None = None
    lower_cases: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str = ""
    dense: tuple[DenseModule, ...] = ()
    matryoshka_dims: tuple[int, ...] = ()


def read_text_model(directory: Path, hidden_size: int) -> TextModel:
    """Read the folder; one without modules.json is a bare encoder.

    Raises:
        UnsupportedError: a module or pooling mode that would not be computed.
        CheckpointError: a file cannot be read, or does not fit the encoder.
    """
    if not (directory / "modules.json").is_file():
        return TextModel(
            pooling=Pooling.MEAN,
            pooling_assumed=True,
            normalizes=False,
            dimensions=hidden_size,
            matryoshka_dims=read_matryoshka_dims(directory, hidden_size),
        )
    modules = _modules(directory)
    kinds = dict(modules)
    prompts, default = _prompts(directory)
    max_tokens, lower_cases = _transformer(directory / kinds.get("Transformer", ""))
    pooling = _pooling(directory / kinds["Pooling"], hidden_size, prompts) if "Pooling" in kinds else None
    dense = _dense([directory / folder for kind, folder in modules if kind == "Dense"], hidden_size)
    dimensions = dense[-1].spec.out_features if dense else hidden_size
    return TextModel(
        pooling=pooling or Pooling.MEAN,
        pooling_assumed=pooling is None,
        normalizes="Normalize" in kinds,
        dimensions=dimensions,
        max_tokens=max_tokens,
        lower_cases=lower_cases,
        prompts=prompts,
        default_prompt_name=default,
        dense=dense,
        matryoshka_dims=read_matryoshka_dims(directory, dimensions),
    )


def _modules(directory: Path) -> list[tuple[str, str]]:
    """Kind and folder of each module: a Transformer, a Pooling, Dense ones and a Normalize, in this order."""
    entries = read_json_value(directory / "modules.json")
    if not isinstance(entries, list):
        raise CheckpointError(f"modules.json: expected a list, got {type(entries).__name__}")
    modules = [_module(entry) for entry in entries]
    order = [kind for kind, _ in modules]
    if not _ORDER.fullmatch(" ".join(order)):
        raise UnsupportedError(
            f"modules.json has {', '.join(order)[:120] or 'nothing'}; "
            "Transformer, Pooling and perhaps Dense and Normalize are supported"
        )
    for _, folder in modules:
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise CheckpointError("modules.json has a path that leads out of the folder")
    return modules


def _module(entry: Any) -> tuple[str, str]:  # noqa: ANN401
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("type", "path")):
        raise CheckpointError("modules.json: expected objects with type and path")
    return entry["type"].rpartition(".")[2], entry["path"]


def _pooling(directory: Path, hidden_size: int, prompts: Mapping[str, str]) -> Pooling:
    config = read_json(directory / "config.json")
    width = config.get("word_embedding_dimension", config.get("embedding_dimension", hidden_size))
    if width != hidden_size:
        raise CheckpointError(f"{directory.name} pools vectors of {str(width)[:20]}; the encoder's have {hidden_size}")
    if prompts and config.get("include_prompt", True) is not True:
        raise UnsupportedError(f"{directory.name} leaves prompts out of the mean, which is not supported")
    modes = [config["pooling_mode"]] if "pooling_mode" in config else _legacy_modes(config)
    if len(modes) != 1 or not isinstance(modes[0], str) or modes[0] not in _MODES:
        shown = ", ".join(map(str, modes))[:80]
        raise UnsupportedError(
            f"{directory.name} pools by {shown or 'nothing'}; one of {', '.join(_MODES)} is supported"
        )
    return _MODES[modes[0]]


def _dense(directories: Sequence[Path], size: int) -> tuple[DenseModule, ...]:
    modules: list[DenseModule] = []
    for directory in directories:
        modules.append(read_dense(directory, size))
        size = modules[-1].spec.out_features
    return tuple(modules)


def _legacy_modes(config: Mapping[str, Any]) -> list[Any]:
    """The modes of a config that has a yes or no for each."""
    return [_LEGACY.get(key, key) for key, on in config.items() if key.startswith("pooling_mode_") and on is True]


def _transformer(directory: Path) -> tuple[int | None, bool]:
    """The limit of tokens, where there is one, and whether texts are lower-cased."""
    path = directory / "sentence_bert_config.json"
    if not path.is_file():
        return None, False
    config = read_json(path)
    lower_cases = config.get("do_lower_case") or False
    if not isinstance(lower_cases, bool):
        raise CheckpointError(f"{path.name} do_lower_case: expected true or false, got {str(lower_cases)[:40]!r}")
    limit = config.get("max_seq_length")
    if limit is not None and (type(limit) is not int or limit < 3):
        raise CheckpointError(f"{path.name} max_seq_length: expected an integer of 3 or more, got {str(limit)[:40]!r}")
    return limit, lower_cases


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _prompts(directory: Path) -> tuple[Mapping[str, str], str]:
    path = directory / "config_sentence_transformers.json"
    if not path.is_file():
        return {}, ""
    config = read_json(path)
    prompts, default = config.get("prompts") or {}, config.get("default_prompt_name") or ""
    if not isinstance(prompts, dict) or not all(isinstance(text, str) and _is_text(text) for text in prompts.values()):
        raise CheckpointError(f"{path.name} prompts: expected texts by name")
    if not isinstance(default, str) or (default and default not in prompts):
        raise CheckpointError(f"{path.name} default_prompt_name {str(default)[:40]!r} is not one of its prompts")
    return prompts, default
