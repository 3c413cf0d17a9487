"""An artifact on disk: reading with every hash checked, and writing that leaves all or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from polyseme.artifact.entries import FileEntry, Precision
from polyseme.artifact.errors import ArtifactError, CorruptArtifactError, MissingFileError
from polyseme.artifact.graphs import Layout
from polyseme.artifact.manifest import Manifest

MANIFEST: Final = "manifest.json"
_MAX_MANIFEST_BYTES: Final = 16 << 20
_CHUNK_BYTES: Final = 1 << 20


class Artifact:
    """An artifact whose files are those that export wrote."""

    __slots__ = ("directory", "manifest")

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.directory = directory
        self.manifest = manifest

    @classmethod
    def open(cls, directory: Path | str) -> Artifact:
        """Read the manifest and check the size and SHA-256 of every file.

        Raises:
            MissingFileError: no directory, no manifest, or a file is missing.
            InvalidManifestError: the manifest cannot be used.
            CorruptArtifactError: a size or hash differs.
        """
        directory = Path(directory)
        manifest = _read_manifest(directory)
        # Hashing releases the GIL, so files are hashed side by side.
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            list(pool.map(lambda item: _check(directory, *item), manifest.files.items()))
        return cls(directory, manifest)

    def path(self, name: str) -> Path:
        """Give the path of one of the manifest's files."""
        return self.directory / name

    def weights(self, precision: Precision, layout: Layout = Layout.PADDED) -> dict[str, npt.NDArray[np.generic]]:
        """Give the initializers of a layout's graphs by name: read-only views into the memory-mapped weight file.

        Returns:
            Arrays of the shapes that the manifest gives them, in the element type of the precision.
        """
        entry = self.manifest.precisions[precision]
        mapped = np.memmap(self.path(entry.weights), dtype=np.uint8, mode="r")
        return {tensor.name: tensor.view(mapped, precision.dtype) for tensor in entry.of(layout).tensors}

    def head_weights(self, name: str) -> dict[str, npt.NDArray[np.float32]]:
        """Read the weights of a head that predicts, by name, each [in, out] or [out]; in float32 always."""
        head = self.manifest.model.predictions[name]
        values, weights = np.fromfile(self.path(head.file), dtype="<f4"), {}
        for weight, shape in head.shapes():
            size = int(np.prod(shape, dtype=np.int64))
            weights[weight], values = values[:size].reshape(shape), values[size:]
        return weights

    def probe(self) -> Probe | None:
        """Read the probe, by which a device is judged; None where export left none."""
        entry, model = self.manifest.probe, self.manifest.model
        if entry is None:
            return None
        values = np.fromfile(self.path(entry.file), dtype="<f4")
        pooled = values[len(values) - len(entry.texts) * model.embedding.dimensions :]
        states = values[: len(values) - len(pooled)]
        return Probe(
            entry.texts,
            states.reshape(model.encoder.num_hidden_layers + 1, -1, model.encoder.hidden_size),
            pooled.reshape(len(entry.texts), model.embedding.dimensions),
        )


@dataclass(frozen=True, slots=True)
class Probe:
    """A few texts, and the vectors that the reference computed of them.

    Attributes:
        texts: N texts as token ids, T tokens in all.
        states: [L + 1, T, H] float32: the embedding layer and layers 1..L, of every token, text after text.
        pooled: [N, D] float32, of length 1.
    """

    texts: tuple[tuple[int, ...], ...]
    states: npt.NDArray[np.float32]
    pooled: npt.NDArray[np.float32]


class ArtifactWriter:
    """A directory under a temporary name that becomes the artifact on `commit`, and nothing before.

    Use as a context manager: leaving it without `commit` removes what was written.
    """

    def __init__(self, target: Path | str, *, replace: bool = False) -> None:
        """Refuse a target that is not free.

        Raises:
            ArtifactError: the target exists (and is not an artifact that may be replaced), or cannot be written.
        """
        self.target = Path(target).absolute()
        self._replace = replace
        self._refuse_taken_target()

    def __enter__(self) -> Self:
        try:
            self._made = [parent for parent in self.target.parents if not parent.exists()]
            self.target.parent.mkdir(parents=True, exist_ok=True)
            # Beside the target: a rename is atomic only within one file system.
            self.directory = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.", dir=self.target.parent))
        except OSError as error:
            raise ArtifactError(f"cannot write to {self.target.parent}: {error.strerror}") from error
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        for parent in self._made:
            with suppress(OSError):  # not empty: the artifact lies below
                parent.rmdir()

    def entry(self, name: str) -> FileEntry:
        """Give size and hash of a file in `directory`."""
        return _entry(self.directory / name)

    def commit(self, manifest: Manifest) -> Artifact:
        """Write the manifest last, and give the directory its name.

        Raises:
            InvalidManifestError: the manifest could not be read again.
            ArtifactError: the directory cannot be written or renamed.
        """
        self._refuse_taken_target()
        content = manifest.to_json()
        Manifest.from_json(content)
        try:
            (self.directory / MANIFEST).write_bytes(content)
            self.directory.chmod(0o755)
            for path in self.directory.iterdir():
                _sync(path)
            self._rename()
            _sync(self.target.parent)
        except OSError as error:
            raise ArtifactError(f"cannot write {self.target}: {error.strerror}") from error
        return Artifact(self.target, manifest)

    def _rename(self) -> None:
        if not self.target.exists():
            self.directory.rename(self.target)
            return
        old = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.old.", dir=self.target.parent))
        try:
            self.target.rename(old / "old")
            self.directory.rename(self.target)
        except BaseException:  # Ctrl-C too: the old artifact goes back before anything is removed
            if not self.target.exists():
                (old / "old").rename(self.target)
            raise
        finally:
            if self.target.exists():  # else the only one left lies in there
                shutil.rmtree(old, ignore_errors=True)

    def _refuse_taken_target(self) -> None:
        if not self.target.exists():
            return
        if not self.target.is_dir():
            raise ArtifactError(f"{self.target} is a file, not a directory")
        try:
            if not any(self.target.iterdir()):
                return
        except OSError as error:
            raise ArtifactError(f"cannot read {self.target}: {error.strerror}") from error
        if not (self.target / MANIFEST).is_file():
            raise ArtifactError(f"{self.target} exists and is not an artifact: choose another directory")
        if not self._replace:
            raise ArtifactError(f"{self.target} holds an artifact already: --force replaces it")


def _read_manifest(directory: Path) -> Manifest:
    path = directory / MANIFEST
    if not directory.is_dir():
        raise MissingFileError(f"{directory} is not a directory: make an artifact with `polyseme export`")
    try:
        size = _size(path)
        if size > _MAX_MANIFEST_BYTES:
            raise CorruptArtifactError(f"{path}: {size} bytes; limit {_MAX_MANIFEST_BYTES}")
        return Manifest.from_json(path.read_bytes())
    except FileNotFoundError:
        raise MissingFileError(
            f"{directory} has no {MANIFEST}: not an artifact; make one with `polyseme export`"
        ) from None
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error


def _check(directory: Path, name: str, expected: FileEntry) -> None:
    path = directory / name
    try:
        # realpath, as Path.resolve raises RuntimeError for a loop of links in Python before 3.13.
        if path.is_symlink() and not _is_below(os.path.realpath(path), os.path.realpath(directory)):
            raise CorruptArtifactError(f"{path} is a link that leads out of the artifact")
        size = _size(path)
        if size != expected.size:
            raise CorruptArtifactError(f"{path}: {size} bytes; manifest says {expected.size}")
        got = _entry(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing, though the manifest names it") from None
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error
    if got.sha256 != expected.sha256:
        raise CorruptArtifactError(
            f"{path}: SHA-256 is {got.sha256[:12]}..., manifest says {expected.sha256[:12]}...: changed after export"
        )


def _is_below(path: str, directory: str) -> bool:
    return Path(directory) in Path(path).parents


def _size(path: Path) -> int:
    """Bytes of a regular file: a device, or a pipe, would be read for ever."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CorruptArtifactError(f"{path} is not a regular file")
    return status.st_size


def _entry(path: Path) -> FileEntry:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(size=size, sha256=digest.hexdigest())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
