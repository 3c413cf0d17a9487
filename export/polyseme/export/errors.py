"""The errors of an export. Every refusal is one line: what, got, what would do.

ExportError
├── SourceError          SOURCE is not there, or cannot be reached
├── CheckpointError      its files are missing, corrupt, misshapen, or of a kind that is never loaded
├── UnsupportedError     its architecture or configuration is not one that we know how to build
└── GateError            what was built is not what it must be: not fused, or not equal to the reference
"""

from __future__ import annotations


class ExportError(Exception):
    """Nothing was exported; the message is one line."""


class SourceError(ExportError):
    """SOURCE does not lead to a checkpoint."""


class CheckpointError(ExportError):
    """A file of the checkpoint cannot be used."""


class UnsupportedError(ExportError):
    """The checkpoint is sound, but not one that can be built. Never guessed."""


class GateError(ExportError):
    """The exported graph failed a check."""
