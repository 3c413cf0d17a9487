"""Outcomes that were shown, a file per promise: a run that was ended goes on where it was."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.reliability.outcome import Outcome

FOLDER = Path(".cache/reliability")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What showed a promise.

    Attributes:
        outcomes: rows of the table.
        seconds: how long it took.
        others_cores: how many cores others kept busy, before it or after.
        date: the day.
    """

    outcomes: list[Outcome]
    seconds: float
    others_cores: float
    date: str


def keep(key: str, outcomes: Sequence[Outcome], seconds: float, others_cores: float) -> Shown:
    """Write down what showed a promise."""
    shown = Shown(
        outcomes=[*outcomes],
        seconds=seconds,
        others_cores=others_cores,
        date=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = FOLDER / f".{key}.{os.getpid()}"
    written.write_text(json.dumps(asdict(shown), indent=1), encoding="utf-8")
    written.replace(FOLDER / f"{key}.json")
    return shown


def kept(key: str) -> Shown | None:
    """What showed a promise before; None: nothing has."""
    path = FOLDER / f"{key}.json"
    if not path.exists():
        return None
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Shown(**{**fields, "outcomes": [Outcome(**outcome) for outcome in fields["outcomes"]]})
