"""sentence_bert_config.json: how sentence-transformers loads the encoder and reads texts, as untrusted input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import read_json

# All the names that sentence-transformers has given to the file; the first that says anything is taken.
_NAMES: Final = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# Where to find files, and who may run code: told by whoever loads a model, and never by the model.
_OF_THE_CALLER: Final = ("cache_dir", "local_files_only", "revision", "subfolder", "token", "trust_remote_code")
_TOKENIZER: Final = ("model_max_length", "do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space")
# By the argument of the module: those of its keys that are obeyed, and those that change no vector.
_ARGUMENTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "tokenizer_args": (_TOKENIZER, ("use_fast", "padding_side", "truncation_side", "clean_up_tokenization_spaces")),
    "config_args": ((), ("use_cache",)),
    "model_args": (
        (),
        ("torch_dtype", "dtype", "attn_implementation", "add_pooling_layer", "use_safetensors", "low_cpu_mem_usage",
         "device_map"),
    ),
}  # fmt: skip
_NEW_NAMES: Final = {"processor_kwargs": "tokenizer_args", "config_kwargs": "config_args", "model_kwargs": "model_args"}
_TEXT: Final = {"method": "forward", "method_output_name": "last_hidden_state"}
_ONLY: Final[Mapping[str, tuple[Any, ...]]] = {
    "transformer_task": ("feature-extraction",),
    "modality_config": ({"text": _TEXT},),
    "module_output_name": ("token_embeddings",),
    "unpad_inputs": (True, False),
}
_OBEYED: Final = ("max_seq_length", "do_lower_case", "processing_kwargs")
_OF_QUERIES: Final = (
    "query_length",
    "document_length",
)  # of encode_query and encode_document, which differ in nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerModule:
    """The settings in the file of the Transformer module.

    Attributes:
        max_tokens: most tokens of a text; None where the file names no limit.
        lower_cases: whether texts are lower-cased before the tokenizer sees them.
        tokenizer: options that win over tokenizer_config.json.
        left_out: keys that have no part in the export.
    """

    max_tokens: int | None = None
    lower_cases: bool = False
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_transformer_module(folder: Path) -> TransformerModule:
    """Read the file; there may be none.

    Raises:
        UnsupportedError: it says something that would not be computed, or that is not known.
        CheckpointError: it cannot be read, or makes no sense.
    """
    found = ((name, read_json(folder / name)) for name in _NAMES if (folder / name).is_file())
    name, config = next(((name, config) for name, config in found if config), ("", {}))
    arguments = _arguments(name, config)
    for key in sorted(set(config) - {*_OBEYED, *_OF_QUERIES} - set(_NEW_NAMES) - set(_ARGUMENTS)):
        if config[key] is not None and config[key] not in _ONLY.get(key, ()):
            raise UnsupportedError(f"{name} {ascii(key)[1:-1][:40]} {ascii(config[key])[:60]} is not supported")
    lower_cases = config.get("do_lower_case") or False
    if not isinstance(lower_cases, bool):
        raise CheckpointError(f"{name} do_lower_case: expected true or false, got {ascii(lower_cases)[:40]}")
    tokenizer = arguments["tokenizer_args"]
    limits = {
        "max_seq_length": config.get("max_seq_length"),
        "tokenizer_args model_max_length": tokenizer.pop("model_max_length", None),
        "processing_kwargs max_length": _call_limit(name, config.get("processing_kwargs") or {}),
    }
    told = [_limit(f"{name} {key}", limit) for key, limit in limits.items() if limit is not None]
    return TransformerModule(
        max_tokens=told[-1] if told else None,
        lower_cases=lower_cases,
        tokenizer=tokenizer,
        left_out=tuple(f"{name} {key}" for key in _OF_QUERIES if config.get(key) is not None),
    )


def _arguments(name: str, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the arguments of the module that are obeyed, under their older names."""
    obeyed: dict[str, dict[str, Any]] = {key: {} for key in _ARGUMENTS}
    for key in sorted({*_ARGUMENTS, *_NEW_NAMES} & set(config)):  # the older names first: they win
        values = config[key] or {}
        older = _NEW_NAMES.get(key, key)
        if not isinstance(values, dict):
            raise CheckpointError(f"{name} {key}: expected a JSON object, got {type(values).__name__}")
        takes, ignores = _ARGUMENTS[older]
        for argument in sorted(set(values) - {*takes, *ignores, *_OF_THE_CALLER}):
            raise UnsupportedError(f"{name} {key}: {ascii(argument)[1:-1][:40]} is not supported")
        if older == key or older not in config:
            obeyed[older] = {argument: values[argument] for argument in takes if argument in values}
    return obeyed


def _call_limit(name: str, processing: object) -> Any:  # noqa: ANN401  any JSON there is
    """Read the limit that the tokenizer gets with each text; refuse other arguments that would change something."""
    if not isinstance(processing, dict):
        raise CheckpointError(f"{name} processing_kwargs: expected a JSON object, got {type(processing).__name__}")
    limit = None
    for kind in ("text", "common"):  # the second wins over the first
        values = processing.get(kind) or {}
        if not isinstance(values, dict):
            raise CheckpointError(f"{name} processing_kwargs {kind}: expected a JSON object")
        plain = {"padding": (True, "longest"), "truncation": (True, "longest_first"), "return_tensors": ("pt",)}
        for key, value in values.items():
            if key == "max_length":
                limit = value
            elif value not in plain.get(key, ()):
                raise UnsupportedError(
                    f"{name} processing_kwargs {kind}: {ascii(key)[1:-1][:40]} {ascii(value)[:40]} is not supported"
                )
    return limit


def _limit(where: str, limit: Any) -> int:  # noqa: ANN401  any JSON there is
    if type(limit) is not int or limit < 3:
        raise CheckpointError(f"{where}: expected an integer of 3 or more, got {ascii(limit)[:40]}")
    return limit
