"""Exports a checkpoint to an artifact, by a native graph builder, behind gates."""

from polyseme.export.errors import CheckpointError, ExportError, GateError, SourceError, UnsupportedError
from polyseme.export.pipeline import ExportOptions, Progress, export_model

__all__ = [
    "CheckpointError",
    "ExportError",
    "ExportOptions",
    "GateError",
    "Progress",
    "SourceError",
    "UnsupportedError",
    "export_model",
]
