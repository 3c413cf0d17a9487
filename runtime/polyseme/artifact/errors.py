"""The errors of an artifact.

ArtifactError
├── MissingFileError        no such directory, or a file that the manifest names is not there
├── InvalidManifestError    manifest.json is not JSON, not of this schema, or says something impossible
└── CorruptArtifactError    bytes are not those that export wrote
"""

from __future__ import annotations


class ArtifactError(Exception):
    """An artifact cannot be used; the message is one line: what, got, limit."""


class MissingFileError(ArtifactError):
    """A directory or file is not there."""


class InvalidManifestError(ArtifactError):
    """The manifest cannot be read, or claims something that no export writes."""


class CorruptArtifactError(ArtifactError):
    """A file's size or hash is not what the manifest says."""
