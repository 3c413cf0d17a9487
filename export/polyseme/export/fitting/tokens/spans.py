"""Texts with labelled spans, checked before anything is computed; no error repeats a part of a text. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

from polyseme.artifact.prediction_heads import MAX_LABEL_CHARACTERS, refuse_labels
from polyseme.export.fitting.texts import LEAST_ROWS, MOST_ROWS, FitError, first_places
from polyseme.runtime.heads.entities import OUTSIDE
from polyseme.runtime.text.offsets import OffsetError, OffsetTable, OffsetUnit

LEAST_SPANS: Final = LEAST_ROWS
"""Of each label."""
LEAST_TEXTS: Final = 5
"""That have a label, equal ones counted once: a fifth is held out, and the rest goes into folds."""
MOST_LABELS: Final = 200
_PREFIX: Final = "B-"  # of the labels that a head has for each of these


class LabelledSpan(NamedTuple):
    """A part of a text, and what it is; offsets in code points, the end exclusive, no white space at either end."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpannedTexts:
    """Texts, and what parts of them are.

    Attributes:
        texts: N of them.
        spans: of each, in order; none overlap.
        labels: of all spans, sorted.
        places: where each text stands, for errors: "line 7".
    """

    texts: tuple[str, ...]
    spans: tuple[tuple[LabelledSpan, ...], ...]
    labels: tuple[str, ...]
    places: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def spanned(texts: Sequence[str], spans: Sequence[Any], places: Sequence[str], unit: OffsetUnit) -> SpannedTexts:
    """Check texts and their spans.

    Args:
        texts: N texts.
        spans: of each a list of objects with start, end and label, as JSON has them; an empty list: it has none.
        places: where each stands, for errors: "line 7".
        unit: of start and end.

    Raises:
        FitError: there are too many rows; a text is empty; spans overlap, lie outside of their text or inside of a
            character, or have no label, or one that no artifact may have; or there are too few spans of a label:
            got, limit, and the places of the first.
    """
    if len(texts) > MOST_ROWS:
        raise FitError(f"{len(texts)} rows; limit {MOST_ROWS}")
    read, faults = [], dict[str, list[str]]()
    for text, given, place in zip(texts, spans, places, strict=True):
        try:
            read.append(tuple(sorted(_read(text, given, unit))))
            _refuse_overlaps(read[-1])
        except _FaultyError as fault:
            faults.setdefault(str(fault), []).append(place)
    if faults:
        problem, faulty = next(iter(faults.items()))
        others = len({place for each in faults.values() for place in each}) - len(faulty)
        more = f"; {others} rows have other faults" if others else ""
        raise FitError(f"{len(faulty)} rows {problem}: {first_places(faulty)}{more}")
    counts = Counter(span.label for each in read for span in each)
    of_texts = Counter(
        label for _, label in {(text, one.label) for text, each in zip(texts, read, strict=True) for one in each}
    )
    if not 1 <= len(counts) <= MOST_LABELS:
        raise FitError(f"{len(counts)} labels of spans; limits 1..{MOST_LABELS}")
    for least, counted, what in (
        (LEAST_SPANS, counts, "have fewer than"),
        (LEAST_TEXTS, of_texts, "are in fewer than"),
    ):
        if few := sorted(label for label, count in counted.items() if count < least):
            shown = first_places([f"{ascii(label)[:40]} {counted[label]}" for label in few])
            unit_of_count = "spans" if counted is counts else "different texts"
            raise FitError(f"{len(few)} of {len(counts)} labels {what} {least} {unit_of_count}: {shown}")
    return SpannedTexts(texts=tuple(texts), spans=tuple(read), labels=tuple(sorted(counts)), places=tuple(places))


class _FaultyError(Exception):
    """A row is faulty; the message goes on a sentence that begins with how many rows."""


def _read(text: str, given: Any, unit: OffsetUnit) -> Iterator[LabelledSpan]:  # noqa: ANN401  any JSON
    if not text.strip():
        raise _FaultyError("have no text")
    if not isinstance(given, list) or not all(isinstance(span, dict) for span in given):
        raise _FaultyError("have spans that are no list of objects with start, end and label")
    table = OffsetTable(text, unit)
    for span in given:
        label = span.get("label")
        if not isinstance(label, str) or not label.strip():
            raise _FaultyError("have a span without a label")
        if label == OUTSIDE:
            raise _FaultyError(f"have a span with the label {OUTSIDE}, which is for what is in no span")
        if refuse_labels((_PREFIX + label,)):
            most = MAX_LABEL_CHARACTERS - len(_PREFIX)
            raise _FaultyError(f"have a label that is not one line of 1 to {most} characters")
        yield _trimmed(text, *_bounds(table, span.get("start"), span.get("end")), label)


def _bounds(table: OffsetTable, start: Any, end: Any) -> tuple[int, int]:  # noqa: ANN401  any JSON
    if type(start) is not int or type(end) is not int:
        raise _FaultyError("have a span whose start or end is no whole number")
    try:
        first, last = table.to_code_points(start), table.to_code_points(end)
    except OffsetError as error:
        where = "begins or ends inside of a character" if error.inside else "lies outside of its text"
        raise _FaultyError(f"have a span that {where}") from None
    if first >= last:
        raise _FaultyError("have a span that ends before it begins, or where it begins")
    return first, last


def _trimmed(text: str, start: int, end: int, label: str) -> LabelledSpan:
    part = text[start:end]
    if not part.strip():
        raise _FaultyError("have a span of white space alone")
    return LabelledSpan(start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip()), label)


def _refuse_overlaps(spans: Sequence[LabelledSpan]) -> None:
    if any(after.start < before.end for before, after in pairwise(spans)):
        raise _FaultyError("have spans that overlap")
