"""The contract of an engine: it collates texts of token ids, and runs graphs on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from polyseme.runtime.batches.packed import PackedBatch
from polyseme.runtime.batches.padded import Batch, Ids
from polyseme.runtime.batches.selection import TokenSelection
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.hosts import Host

AnyBatch: TypeAlias = Batch | PackedBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The traits of an engine, for those who make batches.

    Attributes:
        pads: whether each text of a batch is padded to the longest.
        lanes: number of batches that it runs side by side; 0: as many as threads call it.
        shares_threads: whether its threads may run the batches of other engines too.
        batch_tokens: tokens of a good batch.
        batch_texts: texts of a good batch.
        queue_tokens: most tokens that wait for it.
        most_texts: most texts of a batch; 0: any number.
        most_cells: most texts times the longest of a batch; 0: as its tokens.
        least_fill: the shortest text of a good batch over its longest; 0: any mix.
        adapts_to_shapes: whether the first batch of a shape takes longer than those after it.
        warm_tokens: batches of more tokens than this are run once before the engine is ready; 0: none are.
    """

    pads: bool
    lanes: int
    shares_threads: bool
    batch_tokens: int
    batch_texts: int
    queue_tokens: int
    most_texts: int = 0
    most_cells: int = 0
    least_fill: float = 0.0
    adapts_to_shapes: bool = True
    warm_tokens: int = 0


class Engine(Protocol):
    """Collates and runs."""

    @property
    def traits(self) -> Traits:
        """The traits that those need to know who make batches for it."""

    @property
    def devices(self) -> Sequence[Device]:
        """The devices that it runs on; all have one precision and provider."""

    @property
    def hosts(self) -> Sequence[Host]:
        """Threads of its own, on which batches are run at once and from others by a hand-over; none: any will do."""

    def collate(self, sequences: Sequence[Ids]) -> AnyBatch:
        """Put texts of token ids together."""

    def run(
        self,
        variant: str,
        batch: Any,  # noqa: ANN401  what collate gave
        outputs: Sequence[str],
        selection: TokenSelection | None = None,
        alone: bool = False,
    ) -> list[npt.NDArray[Any]]:
        """Run one of the engine's batches. Releases the GIL while the device works.

        Args:
            variant: the graph.
            batch: as `collate` gave it.
            outputs: names from `polyseme.artifact.graphs`; in float16 (`graphs.half`) what it cannot hold is infinite.
            selection: the further inputs of the `layers` graph.
            alone: whether nothing else waits or runs: the batch may take more cores.

        Returns:
            One array per output, in their order; `polyseme.artifact.graphs` has their shapes.

        Raises:
            DeviceLostError: the device will run nothing any more.
        """

    def close(self) -> None:
        """Run nothing any more, and give back the device's memory."""
