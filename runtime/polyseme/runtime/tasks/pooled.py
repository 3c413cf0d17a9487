"""One vector per text: an output of the `embed` graph."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, half
from polyseme.runtime.batches.selection import TokenSelection
from polyseme.runtime.tasks.task import FloatArray, Outputs


@dataclass(frozen=True, slots=True)
class PooledVector:
    """The vector of a whole text: [D].

    Attributes:
        normalized: whether it has length 1.
        half: whether float16 is enough.
    """

    batch_key: ClassVar[Hashable] = None  # all of them share batches
    normalized: bool = True
    half: bool = False

    @property
    def output(self) -> str:
        """The graph's output, by name."""
        output = NORMALIZED if self.normalized else POOLED
        return half(output) if self.half else output

    def in_full(self) -> PooledVector:
        """Copy the task, in float32."""
        return replace(self, half=False)

    @classmethod
    def batch(cls, tasks: Sequence[PooledVector]) -> PooledBatch:
        """Put tasks together."""
        return PooledBatch([task.output for task in tasks])


class PooledBatch:
    """The outputs that the texts of a batch want, one row each."""

    graph = Variant.EMBED
    is_too_large = False

    def __init__(self, wanted: Sequence[str]) -> None:
        self._wanted = wanted
        self.outputs = sorted(set(wanted))

    def selection(self, starts: npt.NDArray[np.int32]) -> TokenSelection | None:
        """Give None: the graph takes no inputs but the texts.

        Args:
            starts: [B] int32, not needed.
        """
        return None

    def split(self, outputs: Outputs) -> list[FloatArray | None]:
        """Take row i [D] of the output that text i wants."""
        finite: dict[str, Any] = {name: np.isfinite(array).all(axis=1).tolist() for name, array in outputs.items()}
        return [outputs[name][row] if finite[name][row] else None for row, name in enumerate(self._wanted)]
