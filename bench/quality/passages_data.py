"""The evaluation set of passages.py: questions, and the sentence of a document that answers each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bench.lib.texts import evaluation_file
from numpy.typing import NDArray

FILE = "xquad.en.json"
Span = tuple[int, int]
FloatArray = NDArray[np.float64]
_MOST_WORDS = 100  # of a sentence
# Good enough for an encyclopedia: a sentence ends before white space and what looks like the start of another.
_END = re.compile(r"(?<=[.?!])(?<!\b[A-Z]\.)(?<!\b[DMSJ][rt]\.)\s+(?=[\"'(]?[A-Z0-9])|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """A document, its sentences, and the questions about it.

    Attributes:
        text: the paragraphs of the article, an empty line between two.
        sentences: (start, end) of each sentence.
        paragraphs: (start, end) of each paragraph.
        questions: what was asked.
        answers: for each question the index of the sentence in which the answer begins.
    """

    text: str
    sentences: list[Span]
    paragraphs: list[Span]
    questions: list[str]
    answers: list[int]


def articles() -> list[Article]:
    """The English part of XQuAD."""
    data = json.loads(evaluation_file(FILE).read_text(encoding="utf-8"))["data"]
    return [_article(each["paragraphs"]) for each in data]


def sentences(text: str) -> list[Span]:
    """(start, end) of each sentence; none is empty."""
    ends = [*(match.span() for match in _END.finditer(text)), (len(text), len(text))]
    starts = [0, *(after for _, after in ends)]
    found = [(start, end) for start, (end, _) in zip(starts, ends, strict=False) if text[start:end].strip()]
    return [part for start, end in found for part in _parts(text, start, end)]


def _parts(text: str, start: int, end: int) -> Iterator[Span]:
    """A sentence in parts of at most so many words; lists without a full stop are as long as a page."""
    words = [match.span() for match in re.finditer(r"\S+", text[start:end])]
    for first in range(0, len(words), _MOST_WORDS):
        part = words[first : first + _MOST_WORDS]
        yield start + part[0][0], start + part[-1][1]


def reciprocal_ranks(scores: list[FloatArray], answers: list[int]) -> FloatArray:
    """1 / the place of the right passage for each question, [N]; of passages that tie, the right one comes last.

    Args:
        scores: for each question, the score of every passage that it is asked of.
        answers: for each question, the index of the right passage.
    """
    places = [int((each >= each[answer]).sum()) for each, answer in zip(scores, answers, strict=True)]
    return 1 / np.array(places, dtype=np.float64)


def _article(paragraphs: list[dict[str, object]]) -> Article:
    text, spans, questions, places = "", [], [], []
    for paragraph in paragraphs:
        text += "\n\n" if text else ""
        start = len(text)
        text += str(paragraph["context"])
        spans.append((start, len(text)))
        for asked in paragraph["qas"]:  # type: ignore[attr-defined]
            questions.append(str(asked["question"]))
            places.append(start + int(asked["answers"][0]["answer_start"]))
    found = sentences(text)
    answers = [next(i for i, (_, end) in enumerate(found) if place < end) for place in places]
    return Article(text=text, sentences=found, paragraphs=spans, questions=questions, answers=answers)
