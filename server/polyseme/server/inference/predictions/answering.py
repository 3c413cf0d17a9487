"""Answer: spans of contexts that answer questions."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from polyseme.artifact import HeadKind
from polyseme.runtime.heads.answers import Span, find_spans
from polyseme.server.errors import FieldPath, InvalidInputError
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.predictions.classification import check_pairs
from polyseme.server.inference.predictions.finding import find_head
from polyseme.server.inference.predictions.queries import Answer
from polyseme.server.inference.predictions.running import Float32Array, HeadRun, InputInfo, Prepared, span_bytes
from polyseme.server.inference.validation import check_reply_bytes

_MOST_ANSWER_TOKENS: Final = 512
_MOST_ANSWERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpan:
    """A part of a context that answers.

    Attributes:
        start: in code points of the context.
        end: exclusive.
        score: how sure it is.
        tokens: by their places in the uncut input.
    """

    start: int
    end: int
    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answers to one question.

    Attributes:
        spans: the best first.
        none: the score of there being no answer.
        info: what became of question and context.
    """

    spans: list[AnswerSpan]
    none: float
    info: InputInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answer to Answer.

    Attributes:
        questions: in the order of the query.
        head: which answered.
    """

    questions: list[Answered]
    head: str


async def answer(query: Answer, execution: Execution) -> Answers:
    """Run questions with their contexts, and find the spans that answer.

    Raises:
        InvalidInputError: what, got, limit.
        NoHeadError: the model has no head that answers questions.
        QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
    """
    name, head = find_head(execution.model, HeadKind.QUESTION_ANSWERING, query.head)
    check_pairs(len(query.questions), execution, "questions")
    for field, got, most in (
        ("max_answer_tokens", query.max_answer_tokens, _MOST_ANSWER_TOKENS),
        ("top_k", query.top_k, _MOST_ANSWERS),
    ):
        if not 1 <= got <= most:
            raise InvalidInputError(f": got {got}; limits 1..{most}", (field,))
    for index, (question, _) in enumerate(query.questions):
        if not question:
            raise InvalidInputError(" is empty; a text is needed", ("questions", index, "question"))
    run = HeadRun(execution=execution, head=head, long_texts=query.long_texts)
    run.check(query.questions, _in_questions, ("question", "context"))
    answered, size = [], 0
    async for index, one, logits in run.logits(query.questions, _in_questions):
        found, more = await _answered(query, query.questions[index][1], one, logits)
        size += more
        check_reply_bytes(size, execution.limits)
        execution.reserve(more)
        answered.append(found)
    return Answers(questions=answered, head=name)


async def _answered(query: Answer, context: str, one: Prepared, logits: Sequence[Float32Array]) -> tuple[Answered, int]:
    """Give the best spans of all windows, each once, and how many bytes they are in a reply."""
    best: list[Span] = []
    none = math.inf
    for places, rows in zip(one.windows, logits, strict=True):
        # A turn for each window: a call that has ended leaves no more than one to do.
        best, here = await asyncio.to_thread(_with_window, query, best, one, places.tolist(), rows)
        none = min(none, here)
    kept = [span for span in best if not query.may_have_none or span.score >= none]
    offsets = one.tokens.offsets
    spans = [
        AnswerSpan(
            start=offsets[span.tokens[0]][0], end=offsets[span.tokens[-1]][1], score=span.score, tokens=span.tokens
        )
        for span in kept
    ]
    size = sum(span_bytes(context, span.start, span.end, len(span.tokens)) for span in spans)
    return Answered(spans=spans, none=none, info=one.info), size


def _with_window(
    query: Answer, best: Sequence[Span], one: Prepared, places: Sequence[int], logits: Float32Array
) -> tuple[list[Span], float]:
    """Give the best spans of those so far and one more window's, and the window's score of there being none."""
    found = find_spans(one.tokens, places, logits, most_tokens=query.max_answer_tokens, count=query.top_k)
    each: dict[tuple[int, ...], Span] = {}
    for span in sorted([*best, *found.spans], key=lambda span: -span.score):
        each.setdefault(span.tokens, span)
    return list(each.values())[: query.top_k], found.none


def _in_questions(index: int) -> FieldPath:
    return "questions", index
