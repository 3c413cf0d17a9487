"""The size and the shape of a good batch, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """The rules by which texts are put together.

    Attributes:
        max_batch_tokens: most tokens of a batch.
        max_batch_cells: most rows times the longest row: tokens with padding where rows are padded, else the measure of
            scratch memory. 0: as max_batch_tokens.
        max_batch_texts: most rows.
        min_fill: shortest row of a batch over its longest; 1 allows equal lengths only, 0 any mix. Bounds padding.
        max_wait_s: how long a batch that is not full may wait for company while a runner is free. 0 starts it at once.
        max_queue_tokens: work is admitted while fewer tokens than this are waiting.
        short_for_s: how long batches stay short after another caller's interactive work came.
        bulk_share: of every so many batches, one is led by bulk work although interactive work waits.
        deadline_share: how much of the time that a caller has left its work may wait and run; what would take longer
            is refused. The rest is for the reply's way, and for what is not foreseen. inf: nothing is refused so.
    """

    max_batch_tokens: int
    max_batch_texts: int
    max_batch_cells: int = 0
    min_fill: float = 0.75  # engines state theirs; on a CPU 0.9: bench/results/simulation.md
    max_wait_s: float = 0.0  # 5 ms add 4 to 5 ms to p50: bench/results/simulation.md
    max_queue_tokens: int = 65_536
    short_for_s: float = 2.0  # without, p50 beside a flood 2.7x of idle and not 1.6x: bench/results/simulation.md
    bulk_share: int = 8
    deadline_share: float = 0.75  # with 1, goodput at 5x load is 1.01 of peak, not 1.14: bench/results/simulation.md
