"""Reading a checkpoint: config.json and safetensors, as untrusted input. Pickles are never loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from polyseme.export.errors import CheckpointError

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth", "model.bin")
_FLOATS = ("F32", "F16", "BF16", "F64")
_MAX_JSON_BYTES = 64 << 20


class Checkpoint:
    """The configuration and the weights of a directory.

    Attributes:
        config: config.json.
    """

    def __init__(self, directory: Path) -> None:
        """Open every weight file; tensors are read when asked for.

        Raises:
            CheckpointError: a file is missing, corrupt, or pickled.
        """
        self.directory = directory
        self.config = read_json(directory / "config.json")
        self._files: dict[str, Any] = {}
        for path in _weight_files(directory):
            opened = _open(path)
            self._files.update(dict.fromkeys(opened.keys(), opened))
        self._refuse_missing_shards()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def tensor(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """A weight as float32.

        Args:
            name: as the checkpoint has it.
            shape: what it must be.

        Raises:
            CheckpointError: missing, of another shape or no float type, or with numbers that are not finite.
        """
        if name not in self._files:
            raise CheckpointError(f"weight {name} is missing")
        part = self._files[name].get_slice(name)
        if tuple(part.get_shape()) != shape:
            raise CheckpointError(
                f"weight {name} has shape {list(part.get_shape())}; config.json asks for {list(shape)}"
            )
        if part.get_dtype() not in _FLOATS:
            raise CheckpointError(f"weight {name} is {part.get_dtype()}; one of {', '.join(_FLOATS)} is needed")
        values: npt.NDArray[np.float32] = np.asarray(self._files[name].get_tensor(name)).astype(np.float32)
        if not np.isfinite(values).all():
            raise CheckpointError(f"weight {name} has numbers that are not finite")
        return values

    def sha256(self) -> str:
        """SHA-256 over config.json and the weight files, in the order of their names."""
        digest = hashlib.sha256()
        for path in (self.directory / "config.json", *_weight_files(self.directory)):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _refuse_missing_shards(self) -> None:
        index = self.directory / _INDEX
        if not index.is_file():
            return
        for name in _weight_map(index):
            if name not in self._files:
                raise CheckpointError(f"{_INDEX} names weight {name}, which is in none of its files")


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        CheckpointError: missing, too large, or not a JSON object.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise CheckpointError(f"{path.name} has {path.stat().st_size} bytes; limit {_MAX_JSON_BYTES}")
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"{path.name} is missing in {path.parent.name}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name}: expected a JSON object, got {type(content).__name__}")
    return content


def _weight_files(directory: Path) -> list[Path]:
    index = directory / _INDEX
    if index.is_file():
        names = sorted(set(_weight_map(index).values()))
        for name in names:
            if Path(name).name != name:
                raise CheckpointError(f"{_INDEX} names {name[:80]!r}, which is not a plain file name")
            if not (directory / name).is_file():
                raise CheckpointError(f"{_INDEX} names {name}, which is missing: the download is incomplete")
        return [directory / name for name in names]
    if (directory / _SINGLE).is_file():
        return [directory / _SINGLE]
    pickles = [name for name in _PICKLES if (directory / name).is_file()]
    if pickles:
        raise CheckpointError(
            f"{pickles[0]} is a pickle, which can run any code and is never loaded; convert it where you trust it: "
            "AutoModel.from_pretrained(DIR).save_pretrained(OUT, safe_serialization=True)"
        )
    raise CheckpointError(f"{directory.name} has no {_SINGLE}, and no {_INDEX}")


def _weight_map(index: Path) -> Mapping[str, str]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise CheckpointError(f"{_INDEX} has no weight_map of file names")
    return weight_map


def _open(path: Path) -> Any:  # noqa: ANN401  the library has no types
    try:
        return safe_open(path, "numpy")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {str(error).splitlines()[0][:200]}") from error
