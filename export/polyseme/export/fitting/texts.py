"""Labelled texts, checked before anything is computed; no error repeats a part of a text. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact.prediction_heads import MAX_LABEL_CHARACTERS, refuse_labels
from polyseme.export.errors import ExportError

LEAST_CLASSES: Final = 2
LEAST_ROWS: Final = 10
"""Of each class, equal texts counted once: a fifth is held out, and the rest goes into folds."""
MOST_ROWS: Final = 200_000
MOST_CLASSES: Final = 1_000
_NAMED: Final = 5


class FitError(ExportError):
    """No head can be fitted: the texts are too few or too many, or one is faulty."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledTexts:
    """Texts, and the class of each.

    Attributes:
        texts: N of them.
        classes: names of the C classes, sorted.
        labels: [N] int64, indices into classes.
    """

    texts: tuple[str, ...]
    classes: tuple[str, ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.texts)


def labelled(texts: Sequence[str], labels: Sequence[str], places: Sequence[str]) -> LabelledTexts:
    """Check texts and their labels.

    Args:
        texts: N texts.
        labels: N names of classes.
        places: where each stands, for errors: "line 7".

    Raises:
        FitError: a text or a label is empty, or a label none that an artifact may have; there are too many
            rows, too few or too many classes, or too few texts of one: got, limit, and the places of the first.
    """
    if len(texts) > MOST_ROWS:
        raise FitError(f"{len(texts)} rows; limit {MOST_ROWS}")
    for what, values in (("text", texts), ("label", labels)):
        if missing := [place for value, place in zip(values, places, strict=True) if not value.strip()]:
            raise FitError(f"{len(missing)} rows have no {what}: {first_places(missing)}")
    if faulty := [place for label, place in zip(labels, places, strict=True) if refuse_labels((label,))]:
        problem = f"is not one line of 1 to {MAX_LABEL_CHARACTERS} characters"
        raise FitError(f"{len(faulty)} rows have a label that {problem}: {first_places(faulty)}")
    counts = Counter(labels)
    if not LEAST_CLASSES <= len(counts) <= MOST_CLASSES:
        raise FitError(f"{len(counts)} classes; limits {LEAST_CLASSES}..{MOST_CLASSES}")
    different = Counter(label for _, label in set(zip(texts, labels, strict=True)))
    if few := sorted(name for name, count in different.items() if count < LEAST_ROWS):
        shown = first_places([f"{ascii(name)[:40]} has {different[name]}" for name in few])
        raise FitError(f"{len(few)} of {len(counts)} classes have fewer than {LEAST_ROWS} different texts: {shown}")
    classes = tuple(sorted(counts))
    numbers = {name: number for number, name in enumerate(classes)}
    return LabelledTexts(texts=tuple(texts), classes=classes, labels=np.array([numbers[name] for name in labels]))


def first_places(places: Sequence[str]) -> str:
    """List the first of several places, for an error."""
    return ", ".join(places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")
