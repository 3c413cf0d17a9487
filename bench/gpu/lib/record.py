"""What was measured: one JSON object a line, by several processes one after another; and tables of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from traceback import print_exc
from typing import Any

Row = dict[str, Any]

_LEAST_RUNS, _MOST_RUNS = 5, 2000


@dataclass(frozen=True, slots=True)
class Record:
    """A file of rows, and the step that adds to it."""

    path: Path
    step: str

    def add(self, table: str, **row: object) -> None:
        """A row of a table."""
        self._append({"step": self.step, "table": table, **row})

    def note(self, text: str) -> None:
        """A line beside the tables."""
        self._append({"step": self.step, "note": text})

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Around what may fail without ending the step: a failure is a row, and its traceback is in the log."""
        try:
            yield
        except Exception as error:
            print_exc()
            self.fail(name, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}")

    def fail(self, name: str, error: str) -> None:
        """Something that could not be had."""
        self._append({"step": self.step, "failure": name, "error": error})

    def _append(self, row: Row) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=float) + "\n")
        print(*(f"{key}={_cell(value)}" for key, value in row.items()), flush=True)


def read(path: Path) -> list[Row]:
    """All rows; a line that was cut short, as its process was killed, is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def tables(rows: Sequence[Row]) -> str:
    """Notes, tables and failures as short lines of Markdown, in the order in which they came."""
    by_table: dict[str, list[Row]] = {}
    for row in rows:
        if "table" in row:
            by_table.setdefault(row["table"], []).append({k: v for k, v in row.items() if k not in ("step", "table")})
    parts = ["\n".join(f"- {row['step']}: {row['note']}" for row in rows if "note" in row)]
    parts += [f"{name}\n{_table(found)}" for name, found in by_table.items()]
    parts.append(
        "\n".join(f"- FAILED {row['step']}, {row['failure']}: {row['error']}" for row in rows if "failure" in row)
    )
    return "\n\n".join(part for part in parts if part)


def timed(run: Callable[[], object], *, seconds: float = 0.4) -> tuple[float, float, float]:
    """Median, least and largest seconds of a call that waits for its device; after two that are not counted."""
    run()
    run()
    times: list[float] = []
    end = perf_counter() + seconds
    while len(times) < _LEAST_RUNS or (perf_counter() < end and len(times) < _MOST_RUNS):
        begin = perf_counter()
        run()
        times.append(perf_counter() - begin)
    times.sort()
    return times[len(times) // 2], times[0], times[-1]


def _table(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["-"] * len(columns), *([_cell(row.get(key)) for key in columns] for row in rows)]
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.8f}" if 0.99 < value < 1 else f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.3g}"
    return "" if value is None else str(value)
