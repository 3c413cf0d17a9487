"""Answer: spans of contexts that answer questions."""

from __future__ import annotations

import asyncio
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
from polyseme.server.inference.predictions.running import Float32Array, HeadRun, InputInfo, Prepared

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
    answered = []
    async for _, one, logits in run.logits(query.questions, _in_questions):
        answered.append(await asyncio.to_thread(_answered, query, one, logits))
    return Answers(questions=answered, head=name)


def _answered(query: Answer, one: Prepared, logits: Sequence[Float32Array]) -> Answered:
    """Give the best spans of all windows, each once."""
    found = [
        find_spans(one.tokens, places, rows, most_tokens=query.max_answer_tokens, count=query.top_k)
        for places, rows in zip(one.windows, logits, strict=True)
    ]
    none = min(each.none for each in found)
    best: dict[tuple[int, ...], Span] = {}
    for span in sorted((span for each in found for span in each.spans), key=lambda span: -span.score):
        best.setdefault(span.tokens, span)
    spans = [span for span in best.values() if not query.may_have_none or span.score >= none]
    offsets = one.tokens.offsets
    return Answered(
        spans=[
            AnswerSpan(
                start=offsets[span.tokens[0]][0],
                end=offsets[span.tokens[-1]][1],
                score=span.score,
                tokens=span.tokens,
            )
            for span in spans[: query.top_k]
        ],
        none=none,
        info=one.info,
    )


def _in_questions(index: int) -> FieldPath:
    return "questions", index
