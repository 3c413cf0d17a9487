"""Finds the artifacts in the directories that a server is given."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyseme.artifact import MANIFEST, Artifact
from polyseme.server.errors import ConfigError

log = logging.getLogger(__name__)


def open_artifacts(directories: Sequence[Path]) -> list[Artifact]:
    """Open and check artifacts.

    Args:
        directories: artifacts, or models directories: folders without a manifest that hold artifacts.

    Raises:
        ArtifactError: an artifact is not what export wrote.
        ConfigError: a directory is neither.
    """
    return [Artifact.open(artifact) for directory in directories for artifact in _artifacts_in(directory)]


def _artifacts_in(directory: Path) -> Iterator[Path]:
    """Give the directory itself if it is an artifact, else its folders by name; hidden ones are exports under way."""
    if (directory / MANIFEST).exists() or not directory.is_dir():
        yield directory
        return
    try:
        folders = sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"{directory} cannot be read: {error.strerror}") from error
    artifacts = [folder for folder in folders if (folder / MANIFEST).exists()]
    if not artifacts:
        raise ConfigError(f"{directory} has no manifest.json, and no folder that has one")
    for folder in folders:
        if folder not in artifacts:
            log.warning("not served: %s has no manifest.json", folder)
    yield from artifacts
