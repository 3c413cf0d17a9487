"""Arrays that a long bench has computed, kept in a file: a run that was ended goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
P = ParamSpec("P")


class KeptArrays:
    """Arrays by name.

    Args:
        path: an .npz file, written anew after each array; None: nothing is kept.
        owner: what the arrays are of, as the model's name and version; arrays of other owners stay, and are not taken.
    """

    def __init__(self, path: Path | None, owner: str) -> None:
        self._path, self._owner = path, owner
        self._arrays: dict[str, FloatArray] = {}
        if path is not None and path.exists():
            with np.load(path, allow_pickle=False) as file:
                self._arrays = {name: file[name] for name in file.files}

    def get(self, name: str, compute: Callable[P, FloatArray], *args: P.args, **kwargs: P.kwargs) -> FloatArray:
        """The array of this name; computed from the arguments, and kept, where there is none."""
        key = f"{self._owner} {name}".replace("/", "|")  # a name of a member of a zip file
        if key not in self._arrays:
            self._arrays[key] = compute(*args, **kwargs)
            if self._path is not None:
                written = self._path.with_name(f".{self._path.name}.npz")
                np.savez(written, **self._arrays)  # type: ignore[arg-type]  # its first keyword is a flag
                written.replace(self._path)
        return self._arrays[key]
