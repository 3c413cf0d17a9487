"""The order in which a GPU is asked: most knowledge first, each step with its limit in seconds. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to be learned.

    Attributes:
        name: of its module in `bench.gpu.steps`.
        seconds: after which it is ended.
        decides: what is known after it.
    """

    name: str
    seconds: int
    decides: str


PLAN: Final = (
    Step(name="load", seconds=60, decides="whether it loads and runs at all; which attention kernels; memory"),
    Step(name="tests", seconds=40, decides="tests/runtime/test_gpu.py: proof, texts and states against the CPU"),
    Step(name="numerics", seconds=45, decides="eager and replayed against float64 and fp32, each model"),
    Step(name="replays", seconds=25, decides="whether replays follow their inputs; memory of a bucket"),
    Step(name="throughput", seconds=60, decides="1k to 64k tokens, texts of 32 and 128, one lane and two"),
    Step(name="real_model", seconds=35, decides="cosines of a real model's vectors of real texts"),
    Step(name="forms", seconds=45, decides="three products or one; pooling by a mask or by the attention"),
    Step(name="kernels", seconds=35, decides="where a run of 32k tokens spends its time"),
    Step(name="eager_or_replayed", seconds=30, decides="up to which size a replay is faster; one text's latency"),
    Step(name="reload", seconds=30, decides="whether models load beside one that runs"),
    Step(
        name="padded",
        seconds=30,
        decides="cuDNN against CUTLASS for padded shapes, first and later runs; packed beside them",
    ),
    Step(name="pinned", seconds=30, decides="whether pinned memory of the host makes runs faster"),
    Step(name="provider_options", seconds=45, decides="how the arena grows; what fp32 costs without TF32"),
    Step(name="peers", seconds=60, decides="torch and sentence-transformers in fp16 on the same texts"),
    Step(name="tokenizing", seconds=20, decides="how many texts a second the cores can tokenize"),
    Step(name="served", seconds=60, decides="the server over loopback: 1 x 64, 32 x 16, a stream; CPU time of a call"),
)


def chosen(names: Collection[str]) -> Sequence[Step]:
    """The steps of these names, in the plan's order; all where none is named."""
    return [step for step in PLAN if not names or step.name in names]


def within(steps: Sequence[Step], budget_s: float) -> Sequence[Step]:
    """Those from the beginning that end in time, should each take all it may."""
    kept: list[Step] = []
    for step in steps:
        if sum(one.seconds for one in kept) + step.seconds > budget_s:
            break
        kept.append(step)
    return kept
