"""What a runner thread does with a batch: collate, run the session, look at the numbers, hand out the rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from polyseme.runtime.batch import Batch, collate
from polyseme.server.errors import EngineError, NotFiniteError
from polyseme.server.scheduling import Entry, Outcome

log = logging.getLogger(__name__)


class Runnable(Protocol):
    """What a runner needs of a session."""

    def run(self, batch: Batch, outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Run once; one array per output."""


class Runner:
    """Runs batches on one session. Thread-safe where the session is."""

    def __init__(self, session: Runnable, *, pad_token_id: int) -> None:
        self._session = session
        self._pad_token_id = pad_token_id

    def __call__(self, entries: Sequence[Entry]) -> list[Outcome]:
        """One outcome per entry, in order.

        A batch that fails is split until the text that breaks it stands alone: its batch-mates are answered.
        """
        try:
            return self._run(entries)
        except Exception as error:
            if len(entries) == 1:
                log.exception("a text of %d tokens cannot be run", entries[0].tokens)
                failure = EngineError("the model could not be run")
                failure.__cause__ = error
                return [failure]
            log.warning("a batch of %d texts failed (%s): split in two", len(entries), type(error).__name__)
            half = len(entries) // 2
            return [*self(entries[:half]), *self(entries[half:])]

    def _run(self, entries: Sequence[Entry]) -> list[Outcome]:
        batch = collate([entry.ids for entry in entries], self._pad_token_id)
        outputs = sorted({entry.output for entry in entries})
        arrays = dict(zip(outputs, self._session.run(batch, outputs), strict=True))
        finite = {name: np.isfinite(array).all(axis=1) for name, array in arrays.items()}
        return [
            arrays[entry.output][row]
            if finite[entry.output][row]
            else NotFiniteError("the model's output is not finite")
            for row, entry in enumerate(entries)
        ]
