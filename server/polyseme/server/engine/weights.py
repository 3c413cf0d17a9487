"""Watches the weights that are served: their file stays mapped, and others can write to it.

A file that is cut short ends the process with SIGBUS at the next page that is gone; one that is overwritten gives
wrong vectors. Both are looked for once a second. A new file that takes the name of the old one harms nothing: the old
one stays mapped.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from polyseme.artifact import Artifact

_LOOK_S: Final = 1.0
_PIECE_BYTES: Final = 1 << 20  # read at each look, in 0.8 ms: bench/cost/weights.py
_ROUND_LOOKS: Final = 600  # a large file is read in larger pieces, so that every byte is looked at in ten minutes
_MAPS: Final = Path("/proc/self/maps")


class WeightFile:
    """One file that is mapped. Not thread-safe."""

    def __init__(self, path: Path, sha256: str) -> None:
        """Open a file; its present state is what it should stay.

        Args:
            path: the file.
            sha256: the hash of its content, in hexadecimal.

        Raises:
            OSError: the file cannot be read.
        """
        self._path = path
        self._sha256 = sha256
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._descriptor)
        self._size, self._written = status.st_size, status.st_mtime_ns
        self.inode = status.st_ino
        self.piece_bytes = max(_PIECE_BYTES, math.ceil(self._size / _ROUND_LOOKS))
        self._begin_round()

    def look(self) -> str:
        """Look at the file's size, at when it was written, and at its next piece; say what is wrong, or nothing."""
        try:
            return self._look()
        except OSError as error:
            return f"{self._path} cannot be read any more: {error.strerror}"

    def close(self) -> None:
        """Close it; it stays mapped where it is."""
        os.close(self._descriptor)

    def _look(self) -> str:
        status = os.fstat(self._descriptor)
        if status.st_size != self._size:
            return f"{self._path} has {status.st_size} bytes, {self._size} when it was loaded: changed while served"
        if status.st_mtime_ns != self._written:
            self._written = status.st_mtime_ns
            self._begin_round()
            return self._next(self._size)  # hash all of it: its time may have changed and nothing else
        return self._next(self.piece_bytes)

    def _begin_round(self) -> None:
        self._at, self._digest = 0, hashlib.sha256()

    def _next(self, count: int) -> str:
        end = min(self._at + count, self._size)
        while self._at < end:
            piece = os.pread(self._descriptor, min(_PIECE_BYTES, end - self._at), self._at)
            if not piece:
                return f"{self._path} ends at byte {self._at}, {self._size} when it was loaded: changed while served"
            self._digest.update(piece)
            self._at += len(piece)
        if self._at < self._size:
            return ""
        found = self._digest.hexdigest()
        self._begin_round()
        if found == self._sha256:
            return ""
        return f"{self._path}: SHA-256 is {found[:12]}..., manifest says {self._sha256[:12]}...: changed while served"


def mapped_weights(artifact: Artifact) -> list[WeightFile]:
    """Open the weights of an artifact that this process has mapped: none where a device has a copy of its own."""
    manifest = artifact.manifest
    paths = {entry.weights: artifact.path(entry.weights) for entry in manifest.precisions.values()}
    files = [(path, WeightFile(path, manifest.files[name].sha256)) for name, path in paths.items() if path.exists()]
    mapped = _mapped()
    kept = []
    for path, file in files:
        # Names too: some file systems, as those of containers, report another inode than the one they map.
        if mapped is None or file.inode in mapped[0] or os.path.realpath(path) in mapped[1]:
            kept.append(file)
        else:
            file.close()
    return kept


def _mapped() -> tuple[set[int], set[str]] | None:
    """Inodes and names of the files that this process has mapped; None where the system does not tell."""
    if not _MAPS.exists():
        return None
    lines = [line.split(maxsplit=5) for line in _MAPS.read_text().splitlines()]
    return {int(line[4]) for line in lines}, {line[5] for line in lines if len(line) > 5}


class WeightsWatch:
    """Looks at files once a second; its thread starts with the first file."""

    def __init__(self, lose: Callable[[str], None]) -> None:
        """Take what is to be called, on that thread, with what is wrong."""
        self._lose = lose
        self._files: list[WeightFile] = []
        self._left: list[WeightFile] = []  # the thread closes them, since it may be reading them
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, files: Iterable[WeightFile]) -> Callable[[], None]:
        """Watch these files too; give a function that stops watching and closes them."""
        watched = list(files)
        self._files = [*self._files, *watched]
        if watched and self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="weights", daemon=True)
            self._thread.start()

        def forget() -> None:
            self._files = [file for file in self._files if file not in watched]
            self._left = [*self._left, *watched]

        return forget

    def close(self) -> None:
        """End the thread, and close every file. Blocks until a look has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for file in (*self._files, *self._left):
            file.close()

    def _serve(self) -> None:
        while not self._stop.wait(_LOOK_S):
            for file in self._files:
                if wrong := file.look():
                    self._lose(wrong)
                    return
            left, self._left = self._left, []
            for file in left:
                file.close()
