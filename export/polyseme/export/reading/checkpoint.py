"""Reading a checkpoint: config.json and safetensors, as untrusted input. Pickles are never loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.tensor_file import TensorFile, refuse_pointer

_INDEX: Final = "model.safetensors.index.json"
_SINGLE: Final = "model.safetensors"
_ADAPTER: Final = "adapter_config.json"
_PICKLES: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth", "model.bin")
_MAX_JSON_BYTES: Final = 64 << 20


class Checkpoint:
    """The configuration and the weights of a directory.

    Attributes:
        config: config.json.
    """

    def __init__(self, directory: Path) -> None:
        """Open every weight file; tensors are read when asked for.

        Raises:
            CheckpointError: a file is missing, corrupt, or pickled.
            UnsupportedError: config.json names another file of weights.
        """
        self.directory = directory
        self.config = read_json(directory / "config.json")
        elsewhere = self.config.get("transformers_weights")
        if elsewhere not in (None, _SINGLE):
            raise UnsupportedError(f"config.json transformers_weights {ascii(elsewhere)[:80]} is not supported")
        places = _weight_map(directory)
        self._opened = {file: TensorFile(directory / file) for file in sorted(set(places.values()))}
        if not places:
            self._opened[_SINGLE] = TensorFile(directory / _SINGLE)
            places = dict.fromkeys(self._opened[_SINGLE].entries, _SINGLE)
        for name, file in places.items():
            if name not in self._opened[file].entries:
                raise CheckpointError(f"{_INDEX} names weight {name[:80]!r} in {file}, which has it not")
        self._files = {name: self._opened[file] for name, file in places.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def tensor(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Read a weight as float32.

        Args:
            name: its name in the checkpoint.
            shape: the shape that it must have.

        Raises:
            CheckpointError: missing, of another shape or no float type, or with numbers that are not finite.
        """
        if name not in self._files:
            raise CheckpointError(f"weight {name} is missing; its shape would be {list(shape)}")
        got = self._files[name].entries[name].shape
        if got != shape:
            raise CheckpointError(f"weight {name} has shape {list(got)}; config.json asks for {list(shape)}")
        values = self._files[name].read(name)
        if not np.isfinite(values).all():
            raise CheckpointError(f"weight {name} has numbers that are not finite")
        return values

    @property
    def weight_files(self) -> tuple[str, ...]:
        """The names of the files that hold the weights."""
        return tuple(self._opened)

    def sha256(self) -> str:
        """SHA-256 over config.json and the weight files, in the order of their names."""
        digest = hashlib.sha256()
        for name in ("config.json", *self._opened):
            with (self.directory / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def refuse_adapter(directory: Path) -> None:
    """Refuse weights that are not all of the model: transformers would put an adapter over them.

    Raises:
        UnsupportedError: there is an adapter.
    """
    if (directory / _ADAPTER).is_file():
        raise UnsupportedError(
            f"{_ADAPTER}: the model is an adapter over other weights; merge it first: "
            "PeftModel.from_pretrained(BASE, DIR).merge_and_unload().save_pretrained(OUT)"
        )


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: the file is missing, too large, or no JSON object.
    """
    content = read_json_value(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name}: expected a JSON object, got {type(content).__name__}")
    return content


def read_json_value(path: Path) -> Any:  # noqa: ANN401  any JSON there is
    """Read a JSON document of any kind.

    Raises:
        CheckpointError: the file is missing, too large, or not JSON.
    """
    if not path.is_file():  # a device is no file either: reading it may never end
        raise CheckpointError(f"{path.name} is missing in {path.parent.name}")
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise CheckpointError(f"{path.name} has {path.stat().st_size} bytes; limit {_MAX_JSON_BYTES}")
        refuse_pointer(path)
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {type(error).__name__}") from error


def _weight_map(directory: Path) -> Mapping[str, str]:
    """File by weight, where weights are spread over several; empty where one file has them all."""
    if (directory / _SINGLE).is_file():
        return {}
    if not (directory / _INDEX).is_file():
        raise _without_weights(directory)
    weight_map = read_json(directory / _INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(f, str) for f in weight_map.values()):
        raise CheckpointError(f"{_INDEX} has no weight_map of file names")
    for file in set(weight_map.values()):
        if Path(file).name != file:
            raise CheckpointError(f"{_INDEX} names {file[:80]!r}, which is not a plain file name")
        if not (directory / file).is_file():
            raise CheckpointError(f"{_INDEX} names {file}, which is missing: the download is incomplete")
    return weight_map


def _without_weights(directory: Path) -> CheckpointError:
    for name in _PICKLES:
        if (directory / name).is_file():
            return CheckpointError(
                f"{name} is a pickle, which can run any code and is never loaded; convert it where you trust it: "
                "AutoModel.from_pretrained(DIR).save_pretrained(OUT, safe_serialization=True)"
            )
    return CheckpointError(f"{directory.name} has no {_SINGLE}, and no {_INDEX}")
