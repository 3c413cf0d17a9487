"""modules.json: of what a sentence-transformers folder is made, module by module, as untrusted input."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import read_json, read_json_value

MODULES: Final = "modules.json"
_CONFIG: Final = "config_sentence_transformers.json"
_MOST: Final = 64
_CLASS: Final = re.compile(
    r"sentence_transformers\.(?:models|base\.modules|sentence_transformer\.modules)\."
    r"(?:(\w+)\.)?(Transformer|Pooling|Dense|Dropout|Normalize)"
)
_ORDER: Final = re.compile("Transformer Pooling( Dense| Dropout| Normalize)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module.

    Attributes:
        kind: the last word of its class: Transformer, Pooling, Dense, Dropout or Normalize.
        folder: where its files lie.
    """

    kind: str
    folder: Path


def read_modules(directory: Path) -> tuple[Module, ...]:
    """Read the modules in their order: a Transformer, a Pooling, and those after it; none where the file is missing.

    Raises:
        UnsupportedError: a class is not one of sentence-transformers' own, or the order is another.
        CheckpointError: the file cannot be read, or leads out of the folder.
    """
    if not (directory / MODULES).is_file():
        return ()
    entries = read_json_value(directory / MODULES)
    if not isinstance(entries, list):
        raise CheckpointError(f"{MODULES}: expected a list, got {type(entries).__name__}")
    if len(entries) > _MOST:
        raise CheckpointError(f"{MODULES}: {len(entries)} modules; limit {_MOST}")
    modules = tuple(_module(directory, entry) for entry in entries)
    names = Counter(entry["name"] for entry in entries if isinstance(entry.get("name"), str))
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:  # the later would take the place of the earlier
        raise CheckpointError(f"{MODULES}: two modules are called {ascii(twice)[:40]}")
    order = [module.kind for module in modules]
    if order == ["Transformer"] and modules[0].folder == directory and cross_encoder_config(directory) is not None:
        return ()  # a folder of transformers, with a note of what a CrossEncoder does to its scores
    if not _ORDER.fullmatch(" ".join(order)):
        raise UnsupportedError(
            f"{MODULES} has {', '.join(order)[:120] or 'nothing'}; "
            "Transformer, Pooling and then Dense, Dropout and Normalize are supported"
        )
    return modules


def cross_encoder_config(directory: Path) -> Mapping[str, Any] | None:
    """Read what a folder that sentence-transformers saved says of its CrossEncoder; None where it is none.

    Raises:
        CheckpointError: the file cannot be read.
    """
    if not (directory / _CONFIG).is_file():
        return None
    config = read_json(directory / _CONFIG)
    return config if config.get("model_type") == "CrossEncoder" else None


def encoder_folder(directory: Path) -> Path:
    """Find the folder of config.json, weights and tokenizer: that of the Transformer module, or the folder itself.

    Raises:
        ExportError: as `read_modules`.
    """
    return next((module.folder for module in read_modules(directory)), directory)


def _module(directory: Path, entry: Any) -> Module:  # noqa: ANN401  any JSON there is
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("type", "path")):
        raise CheckpointError(f"{MODULES}: expected objects with type and path")
    path = Path(entry["path"])
    if path.is_absolute() or ".." in path.parts:
        raise CheckpointError(f"{MODULES} has a path that leads out of the folder")
    named = _CLASS.fullmatch(entry["type"])
    if named is None or (named[1] or named[2]).lower() != named[2].lower():
        raise UnsupportedError(
            f"{MODULES}: {ascii(entry['type'])[1:-1][:80]} is not supported; sentence-transformers' own "
            "Transformer, Pooling, Dense, Dropout and Normalize are"
        )
    return Module(kind=named[2], folder=directory / path)
