"""Rounds of a long bench, kept in a file as they end: a run that was ended goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Rounds:
    """What each round saw, by the name of what was measured and the number of the round.

    Args:
        path: a file of one JSON object a line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []
        if path.exists():
            self._rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def has(self, name: str, number: int) -> bool:
        """Whether that round was measured."""
        return any(row["name"] == name and row["round"] == number for row in self._rows)

    def add(self, name: str, number: int, seen: Row) -> None:
        """Keep a round."""
        row = {"name": name, "round": number, **seen}
        self._rows.append(row)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            print(json.dumps(row), file=file)

    def by_name(self) -> dict[str, list[Row]]:
        """All rounds, by the name of what was measured, in the order in which names came."""
        found: dict[str, list[Row]] = {}
        for row in self._rows:
            found.setdefault(row["name"], []).append(row)
        return found
