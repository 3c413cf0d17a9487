"""The contract between those who ask for vectors and those who run batches."""

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
        """The name of the graph to run, in the artifact."""

    @property
    def outputs(self) -> Sequence[str]:
        """The names of the outputs to fetch, each once."""

    @property
    def is_too_large(self) -> bool:
        """True where it should run in two halves, since it would gather too much memory."""

    def selection(self, starts: npt.NDArray[Any]) -> TokenSelection | None:
        """Give the graph's inputs beside the texts; None where it has no others.

        Args:
            starts: [B] int32, where each text begins in the batch.
        """

    def split(self, outputs: Outputs) -> list[FloatArray | None]:
        """Cut the outputs into the share of each text.

        Args:
            outputs: arrays by name; `polyseme.artifact.graphs` has their shapes.

        Returns:
            One array per text, in the shape that its task says; None where it holds numbers that are not finite.
        """


class Task(Protocol):
    """The output that one text is run for. A value: it can be sent to another process."""

    @property
    def batch_key(self) -> Hashable:
        """The batch key: texts of equal keys may share a batch."""

    @property
    def half(self) -> bool:
        """True where float16 is enough."""

    def in_full(self) -> Self:
        """Copy the task, in float32."""

    @classmethod
    def batch(cls, tasks: Sequence[Self]) -> TaskBatch:
        """Put tasks of equal keys together."""
