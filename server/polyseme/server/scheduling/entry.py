"""One text that waits to be run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Lane(IntEnum):
    """Which line a text waits in; the lower is served first."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """One text of one call. Compared by identity.

    Attributes:
        ids: its token ids.
        wanted: what the runner is asked for of it; the scheduler does not look at it.
        kind: texts of equal kind may share a batch.
        lane: which line it waits in.
        arrived: when it was queued, in seconds of the scheduler's clock.
        deadline: when its caller stops waiting, on the same clock.
        owner: what its result goes to; the backlog does not look at it.
        position: which text of its owner it is.
        started: when its batch was begun.
    """

    ids: Sequence[int]
    wanted: Any
    kind: Hashable = None
    lane: Lane = Lane.INTERACTIVE
    arrived: float = 0.0
    deadline: float = math.inf
    owner: Any = None
    position: int = 0
    started: float = field(default=0.0, init=False)

    @property
    def tokens(self) -> int:
        """Its length."""
        return len(self.ids)
