"""Artifacts of sources that are served by their name: each is exported once, into a folder of the user's."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.errors import CliError

if TYPE_CHECKING:
    from polyseme.export.reading.source import Located

log = logging.getLogger(__name__)

_SPECIFIED: Final = re.compile(r"(?:(?P<name>[^=:]+)=)?(?P<spec>(?:hf|package):.*)", re.DOTALL)
_HASH_LETTERS: Final = 16


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A source of an artifact.

    Attributes:
        spec: `hf:ID[@REVISION]` or `package:NAME`.
        name: of the model; None: as the source is called.
    """

    spec: str
    name: str | None = None


def source_of(argument: str) -> NamedSource | None:
    """Read `hf:ID`, `package:NAME` or `MODEL=` with one of these behind it; None: it is a directory."""
    found = _SPECIFIED.fullmatch(argument)
    return NamedSource(found["spec"], found["name"]) if found else None


def default_folder(environment: Mapping[str, str]) -> Path:
    """Give the folder for artifacts: `polyseme` in $XDG_CACHE_HOME, which is ~/.cache where it is not set.

    Raises:
        CliError: there is no home.
    """
    root = environment.get("XDG_CACHE_HOME", "")
    if Path(root).is_absolute():  # any other is to be ignored, says the XDG Base Directory Specification
        return Path(root) / "polyseme"
    try:
        return Path.home() / ".cache/polyseme"
    except RuntimeError as error:
        raise CliError("there is no home directory for a cache: --cache names a folder", 2) from error


def exported(source: NamedSource, folder: Path) -> Path:
    """Give the artifact of a source, which is exported unless the folder has it.

    Of processes that ask for the same at once, one exports and the others wait.

    Raises:
        CliError: it cannot be exported, or the folder cannot be written to.
    """
    try:
        from polyseme.artifact import ArtifactError
        from polyseme.export import ExportError
        from polyseme.export.reading.source import locate
    except ModuleNotFoundError as error:
        raise CliError(
            f"{source.spec} is exported first, which needs {error.name}: pip install 'polyseme[server,export]'", 2
        ) from error
    try:
        located = locate(source.spec)
        target = folder / _key(source, located)
        if not _is_there(target, source):
            with _locked(target, source):
                if not _is_there(target, source):
                    _export(source, located, target)
    except (ArtifactError, ExportError) as error:
        raise CliError(str(error), 2) from error
    except OSError as error:
        raise CliError(f"cannot write to {folder}: {error.strerror}; --cache names another folder", 2) from error
    return target


def _key(source: NamedSource, located: Located) -> str:
    """Name an artifact by all that it depends on."""
    from polyseme.export.identity import exporter_version, source_hash

    named = f"{source.name or ''}\0{source_hash(located)}"
    return f"{hashlib.sha256(named.encode()).hexdigest()[:_HASH_LETTERS]}-{exporter_version()}"


def _is_there(target: Path, source: NamedSource) -> bool:
    """Say whether an artifact is in the cache, as export wrote it."""
    from polyseme.artifact import Artifact, ArtifactError

    if not target.exists():
        return False
    try:
        Artifact.open(target)
    except ArtifactError as error:
        log.warning("%s is exported again: %s", source.spec, error)
        return False
    log.info("%s was exported before, into %s", source.spec, target)
    return True


def _export(source: NamedSource, located: Located, target: Path) -> None:
    from polyseme.export import ExportOptions, export_model

    begun: set[str] = set()

    def show(step: str, detail: str = "") -> None:
        if step not in begun:
            begun.add(step)
            log.info("exporting %s: %s", source.spec, step)

    # What a process left that was killed: whoever writes there holds the lock.
    for leftover in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(leftover)
    spec = located.spec if source.spec.startswith("hf:") else source.spec  # of a hub: the commit that was hashed
    options = ExportOptions(name=source.name, replace=True)
    artifact = export_model(spec, target, options, show, lambda line: log.info("%s", line))
    log.info("exported %s into %s", source.spec, artifact.directory)


@contextmanager
def _locked(target: Path, source: NamedSource) -> Iterator[None]:
    """Hold the lock of an artifact, which ends with the process at the latest."""
    path = target.with_name(f"{target.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("waiting for another process that exports %s", source.spec)
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(path, file.fileno()):
                continue  # whoever held it before has removed it
            try:
                yield
            finally:
                path.unlink()
            return


def _is_at(path: Path, descriptor: int) -> bool:
    """Say whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
