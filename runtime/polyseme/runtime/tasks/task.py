"""The contract between who asks for vectors and who runs batches."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias

import numpy.typing as npt

from polyseme.runtime.batches.selection import TokenSelection

FloatArray: TypeAlias = npt.NDArray[Any]
"""float32, or float16 where a task asks for half precision."""

Outputs: TypeAlias = Mapping[str, FloatArray]
"""A graph's outputs by name, texts of a batch together."""


class TaskBatch(Protocol):
    """The tasks of one batch, in the order of its texts."""

    @property
    def graph(self) -> str:
        """The graph to run, by the name that the artifact gives it."""

    @property
    def outputs(self) -> Sequence[str]:
        """The outputs to fetch, each once."""

    @property
    def is_too_large(self) -> bool:
        """Whether to run it in two halves, as what it gathers would take too much memory."""

    def selection(self, starts: npt.NDArray[Any]) -> TokenSelection | None:
        """The graph's inputs beside the texts; None where it has no others.

        Args:
            starts: [B], where each text begins in the batch.
        """

    def split(self, outputs: Outputs) -> list[FloatArray | None]:
        """The share of each text; None where it holds numbers that are not finite."""


class Task(Protocol):
    """What one text is run for. A value: it can be sent to another process."""

    @property
    def batch_key(self) -> Hashable:
        """Texts of equal keys may share a batch."""

    @property
    def half(self) -> bool:
        """Whether float16 is enough."""

    def in_full(self) -> Self:
        """The same task in float32."""

    @classmethod
    def batch(cls, tasks: Sequence[Self]) -> TaskBatch:
        """Put tasks of equal keys together."""
