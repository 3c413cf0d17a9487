"""A step's setting: models and device by name, where rows go; and the texts that steps run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from bench.gpu.lib import engines, models
from bench.gpu.lib.record import Record

from polyseme.artifact import Artifact
from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.engines.device import Device

REAL = "real"
"""The name of the checkpoint that was brought."""


@dataclass(kw_only=True)
class Setting:
    """What a step is given.

    Attributes:
        record: where rows go.
        work: where models lie.
        kind: `cuda` or `cpu`.
        names: of the random models.
        checkpoint: a real one, where one was brought.
        is_rehearsal: over the fake CUDA runtime. Where it computes nothing artifacts have no probe, which would refuse.
        is_quick: measure for a tenth of the time, in small batches.
    """

    record: Record
    work: Path
    kind: str
    names: list[str]
    checkpoint: Path | None
    is_rehearsal: bool
    is_quick: bool

    @cached_property
    def device(self) -> Device:
        """The first GPU, or the CPU."""
        return engines.device(self.kind)

    @property
    def seconds(self) -> float:
        """How long one measurement takes."""
        return 0.04 if self.is_quick else 0.4

    def artifact(self, name: str) -> Artifact:
        """A model's artifact, once it has been made."""
        source = self.checkpoint if name == REAL else None
        with_probe = not self.is_rehearsal or "FAKE_COMPUTE" in os.environ
        return models.artifact(name, source, self.work, with_probe=with_probe)

    def each(self) -> Iterator[tuple[str, Artifact]]:
        """The random models that could be made."""
        for name in self.names:
            made = []
            with self.record.attempt(f"making {name}"):
                made.append(self.artifact(name))
            for artifact in made:
                yield name, artifact


def random_ids(artifact: Artifact, lengths: object, seed: int = 20261123) -> list[Ids]:
    """Texts of random ids, of these lengths."""
    rng = np.random.default_rng(seed)
    vocabulary = artifact.manifest.model.encoder.vocab_size
    return [rng.integers(5, vocabulary, length, dtype=np.int32) for length in np.asarray(lengths).tolist()]


def mixed_lengths(count: int, seed: int = 5) -> list[int]:
    """As of passages and questions together: log-normal, median 33, 4 to 512."""
    draws = np.exp(np.random.default_rng(seed).normal(3.5, 0.9, count))
    lengths: list[int] = np.clip(draws, 4, 512).astype(int).tolist()
    return lengths
