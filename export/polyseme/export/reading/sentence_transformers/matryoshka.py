"""To which lengths a model's vectors may be cut: what its files say that it was trained for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from polyseme.export.errors import CheckpointError
from polyseme.export.reading.checkpoint import read_json

_MOST: Final = 64
_LARGEST: Final = 1 << 20
_CONFIG: Final = "config_sentence_transformers.json"
_PLACES: Final = (
    ("config_sentence_transformers.json", "matryoshka_dims"),
    ("config.json", "matryoshka_dimensions"),
)


def read_matryoshka_dims(directory: Path, dimensions: int) -> tuple[int, ...]:
    """Read the lengths to which vectors may be cut, ascending; none where no file names any.

    Args:
        directory: the model's folder.
        dimensions: length of a vector that is not cut.

    Raises:
        CheckpointError: a file names something else than lengths of 1 to `dimensions`.
    """
    cut = read_truncate_dim(directory)
    dims = {cut} if cut is not None and cut <= dimensions else set()
    for name, key in _PLACES:
        config = read_json(directory / name) if (directory / name).is_file() else {}
        said = config.get(key)
        if said is not None:
            dims.update(_lengths(said, f"{name} {key}", dimensions))
    return tuple(sorted(dims))


def read_truncate_dim(directory: Path) -> int | None:
    """To which length sentence-transformers cuts this model's vectors; it leaves shorter ones as they are.

    Raises:
        CheckpointError: it is no length.
    """
    config = read_json(directory / _CONFIG) if (directory / _CONFIG).is_file() else {}
    told = config.get("truncate_dim")
    return None if told is None else _lengths([told], f"{_CONFIG} truncate_dim", _LARGEST)[0]


def _lengths(said: Any, where: str, dimensions: int) -> list[int]:  # noqa: ANN401
    lengths: list[int] = said if isinstance(said, list) else [said]
    if len(lengths) > _MOST:
        raise CheckpointError(f"{where}: {len(lengths)} lengths; limit {_MOST}")
    for length in lengths:
        if type(length) is not int or not 1 <= length <= dimensions:
            raise CheckpointError(f"{where}: got {ascii(length)[:40]}; limits 1..{dimensions}")
    return lengths
