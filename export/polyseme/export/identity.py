"""Names of what an artifact depends on: a hash of the source's files, and the exporter's version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polyseme.artifact
import polyseme.runtime
from polyseme.artifact import own_version
from polyseme.export.errors import SourceError
from polyseme.export.reading.source import SUFFIXES, Located


def source_hash(located: Located) -> str:
    """Hash the files of a source that export may read, and what the artifact says of their origin.

    Raises:
        SourceError: a file cannot be read.
    """
    digest = hashlib.sha256(f"{located.spec}\0{located.name}\0".encode())
    try:
        for path in sorted(located.directory.rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                digest.update(_named_digest(path, located.directory))
    except OSError as error:
        raise SourceError(f"{error.filename or located.directory}: {error.strerror}") from error
    return digest.hexdigest()


def exporter_version() -> str:
    """Give the version, and a hash of the code: that of a checkout changes between two versions."""
    digest = hashlib.sha256()
    for root in (*polyseme.artifact.__path__, *polyseme.runtime.__path__, str(Path(__file__).parent)):
        for path in sorted(Path(root).rglob("*.py")):
            digest.update(_named_digest(path, Path(root)))
    return f"{own_version()}-{digest.hexdigest()[:8]}"


def _named_digest(path: Path, root: Path) -> bytes:
    with path.open("rb") as file:
        return f"{path.relative_to(root).as_posix()}\0".encode() + hashlib.file_digest(file, "sha256").digest()
