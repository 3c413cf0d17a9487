"""The artifact format: what export writes, and what a server reads. Standard library and numpy alone."""

from polyseme.artifact.directory import MANIFEST, Artifact, ArtifactWriter, Probe
from polyseme.artifact.entries import (
    EncoderSpec,
    FileEntry,
    GraphSet,
    ModelSpec,
    Precision,
    PrecisionEntry,
    ProbeEntry,
    Source,
    WeightEntry,
)
from polyseme.artifact.errors import (
    ArtifactError,
    CorruptArtifactError,
    InvalidManifestError,
    MissingFileError,
)
from polyseme.artifact.graphs import Layout, Variant
from polyseme.artifact.heads import EMBEDDING, Activation, DenseSpec, EmbeddingHead, Pooling
from polyseme.artifact.manifest import SCHEMA_VERSION, Manifest
from polyseme.artifact.prediction_heads import HeadKind, PredictionHead, ScoreFunction
from polyseme.artifact.reading import TOKENIZER, checked_name
from polyseme.artifact.version import own_version

__all__ = [
    "EMBEDDING",
    "MANIFEST",
    "SCHEMA_VERSION",
    "TOKENIZER",
    "Activation",
    "Artifact",
    "ArtifactError",
    "ArtifactWriter",
    "CorruptArtifactError",
    "DenseSpec",
    "EmbeddingHead",
    "EncoderSpec",
    "FileEntry",
    "GraphSet",
    "HeadKind",
    "InvalidManifestError",
    "Layout",
    "Manifest",
    "MissingFileError",
    "ModelSpec",
    "Pooling",
    "Precision",
    "PrecisionEntry",
    "PredictionHead",
    "Probe",
    "ProbeEntry",
    "ScoreFunction",
    "Source",
    "Variant",
    "WeightEntry",
    "checked_name",
    "own_version",
]
