"""Write a fitted head into a new artifact: all files of the old one, and the head's weights; read back and compared."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np

from polyseme.artifact import (
    Activation,
    Artifact,
    ArtifactWriter,
    DenseSpec,
    HeadKind,
    Pooling,
    PredictionHead,
    ScoreFunction,
)
from polyseme.artifact.prediction_heads import checked_head_name
from polyseme.export.errors import GateError
from polyseme.export.fitting.classifier import Classifier
from polyseme.export.fitting.texts import FitError
from polyseme.export.fitting.vectors import Float32Array
from polyseme.runtime.heads import load_head

MOST_DIFFERENCE: Final = 1e-4
"""Between logits in float64, as they were fitted, and in float32, as they are served; of the greatest logit or 1."""


class FittedHead(Protocol):
    """A head that was fitted: what an artifact says of it."""

    @property
    def classifier(self) -> Classifier:
        """Give what makes logits; scores are a softmax over them."""
        ...

    @property
    def kind(self) -> HeadKind:
        """Tell what it predicts."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Name the classes."""
        ...

    @property
    def layer(self) -> int:
        """Tell whose vectors it takes."""
        ...

    @property
    def pooling(self) -> Pooling | None:
        """Tell how token vectors become the one that it takes; None: it takes each."""
        ...


class HeadWriter:
    """A new artifact with one more head; nothing is left where it is not finished.

    Args of the constructor: the artifact, which stays as it is; the directory of the new one; the head's name; whether
    an artifact there may be replaced.

    Raises:
        FitError: the artifact has such a head.
        ArtifactError: the directory is not free, or the name is none.
    """

    def __init__(self, artifact: Artifact, target: Path, name: str, *, replace: bool = False) -> None:
        self._artifact, self._name = artifact, checked_head_name(name)
        if name in artifact.manifest.model.heads:
            raise FitError(f"{artifact.manifest.name} has a head {name}; another name is needed")
        self._writer = ArtifactWriter(target, replace=replace)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._writer.__exit__(*raised)

    def write(self, fitted: FittedHead, vectors: Float32Array) -> Artifact:
        """Write the artifact, and compare what it computes with what was fitted.

        Args:
            fitted: the head.
            vectors: [N, H], that it was fitted on.

        Raises:
            GateError: the head as it is read gives other logits.
            ArtifactError: it cannot be written.
        """
        manifest, directory = self._artifact.manifest, self._writer.directory
        for file in manifest.files:
            shutil.copyfile(os.path.realpath(self._artifact.path(file)), directory / file)
        classifier = fitted.classifier
        head = PredictionHead(
            kind=fitted.kind,
            labels=fitted.labels,
            scores=ScoreFunction.SOFTMAX,
            pooling=fitted.pooling,
            hidden=None,
            norm_eps=None,
            output=DenseSpec(
                in_features=len(classifier.weights),
                out_features=len(fitted.labels),
                bias=True,
                activation=Activation.IDENTITY,
            ),
            file=f"head.{self._name}.bin",
            layer=None if fitted.layer == manifest.model.encoder.num_hidden_layers else fitted.layer,
            texts_alone=True,
        )
        parts = (classifier.weights, classifier.bias)
        (directory / head.file).write_bytes(b"".join(part.astype("<f4").tobytes() for part in parts))
        model = replace(manifest.model, heads={**manifest.model.heads, self._name: head})
        files = {**manifest.files, head.file: self._writer.entry(head.file)}
        draft = replace(manifest, model=model, files=files)
        _refuse_others(Artifact(directory, draft), self._name, fitted.classifier, vectors)
        return self._writer.commit(draft)


def _refuse_others(artifact: Artifact, name: str, classifier: Classifier, vectors: Float32Array) -> None:
    expected = classifier.logits(vectors)
    greatest = max(float(np.abs(expected).max()), 1.0)
    off = float(np.abs(load_head(artifact, name).logits(vectors) - expected).max()) / greatest
    if not off <= MOST_DIFFERENCE:
        raise GateError(f"head {name}: logits are off by {off:.1e} of the greatest; limit {MOST_DIFFERENCE:.0e}")
