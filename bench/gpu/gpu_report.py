"""Measurements that do not stop each other: each in a try block of its own, with a table and a JSON of all."""

from __future__ import annotations

import json
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass
class Report:
    """What was measured so far."""

    out: Path
    tables: dict[str, list[Row]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def add(self, table: str, row: Row) -> None:
        """Keep a row, and what there is of the report on disk."""
        self.tables.setdefault(table, []).append(row)
        print(f"[{time.perf_counter() - self.began:6.1f} s] {table}: {_line(row)}", flush=True)
        self.save()

    def note(self, text: str) -> None:
        """Keep a line."""
        self.notes.append(text)
        print(f"[{time.perf_counter() - self.began:6.1f} s] {text}", flush=True)

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """What fails in here is a line of the report, and no more."""
        try:
            yield
        except Exception as error:
            said = (str(error).splitlines() or [""])[0][:300]
            self.note(f"FAILED {name}: {type(error).__name__}: {said}")
            with (self.out / "errors.txt").open("a") as file:
                file.write(f"{name}\n{traceback.format_exc()}\n")

    def save(self) -> None:
        """Everything as JSON."""
        document = {"notes": self.notes, "tables": self.tables}
        (self.out / "gpu.json").write_text(json.dumps(document, indent=1, default=str))

    def markdown(self) -> str:
        """Everything as tables."""
        parts = []
        for name, rows in self.tables.items():
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines = [columns, ["---"] * len(columns), *([_cell(row.get(key)) for key in columns] for row in rows)]
            parts.append(f"## {name}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
        return "\n\n".join([*parts, "\n".join(f"- {note}" for note in self.notes)])


def timed(run: Callable[[], object], *, seconds: float = 0.4, least: int = 5) -> tuple[float, float, float]:
    """Median, least and largest seconds of a call that waits for its device; after two that are not counted."""
    run()
    run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < 2000):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times), min(times), max(times)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return "" if value is None else str(value)


def _line(row: Row) -> str:
    return ", ".join(f"{key} {_cell(value)}" for key, value in row.items())
