"""Classify and Rerank: scores of labels for texts and pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import HeadKind, ScoreFunction
from polyseme.server.errors import FieldPath, InvalidInputError
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.predictions.finding import find_head
from polyseme.server.inference.predictions.queries import Classify, Rerank, TextInput
from polyseme.server.inference.predictions.running import HeadRun, InputInfo
from polyseme.server.inference.validation import PathOf, check_count, check_reply_bytes, in_texts

Float32Array = npt.NDArray[np.float32]
_PAIR: Final = ("first", "second")
_MOST_QUERY_BYTES: Final = 16 << 20  # of a query, counted with each text: as much as pairs of one message may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """The answer to Classify.

    Attributes:
        scores: [N, C].
        head: which answered.
        inputs: what became of each.
    """

    scores: Float32Array
    head: str
    inputs: list[InputInfo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranked:
    """The answer to Rerank.

    Attributes:
        indices: of the texts, the best first.
        scores: [K].
        head: which answered.
        inputs: what became of each text, in the order of the request.
    """

    indices: list[int]
    scores: Float32Array
    head: str
    inputs: list[InputInfo]


async def classify(query: Classify, execution: Execution) -> Classified:
    """Run texts or pairs.

    Raises:
        InvalidInputError: what, got, limit.
        NoHeadError: the model has no head that classifies.
        QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
    """
    name, head = find_head(execution.model, HeadKind.CLASSIFICATION, query.head)
    if query.texts and query.pairs:
        raise InvalidInputError("texts and pairs are both set; one of them may be")
    if query.pairs and not head.spec.takes_pairs:
        raise InvalidInputError(f" are set, and head {name} was made for texts alone", ("pairs",))
    if query.pairs:
        check_pairs(len(query.pairs), execution, "pairs")
    else:
        check_count(len(query.texts), execution.limits)
    inputs: list[TextInput] = [*query.pairs] or [(text, None) for text in query.texts]
    check_reply_bytes(len(inputs) * head.spec.output.out_features * 4, execution.limits)
    run = HeadRun(execution=execution, head=head, long_texts=query.long_texts)
    path_of: PathOf = _in_pairs if query.pairs else in_texts
    run.check(inputs, path_of, _PAIR if query.pairs else None)
    execution.reserve(len(inputs) * head.spec.output.out_features * 4)
    scores, infos = await _scores(run, inputs, path_of, query.scores)
    return Classified(scores=scores, head=name, inputs=infos)


async def rerank(query: Rerank, execution: Execution) -> Reranked:
    """Put texts in order.

    Raises:
        InvalidInputError, NoHeadError, QueueFullError, DeadlineExpiredError, EngineError: as `classify`.
    """
    name, head = find_head(execution.model, HeadKind.CLASSIFICATION, query.head, of_one_label=True)
    if not query.query:
        raise InvalidInputError(" is empty; a text is needed", ("query",))
    count = len(query.texts)
    check_count(count, execution.limits)
    if count >= execution.limits.max_texts:
        most = execution.limits.max_texts - 1
        raise InvalidInputError(f" has {count} entries; limit {most}, as the query is a text too", ("texts",))
    size = len(query.query.encode())
    if size * count > _MOST_QUERY_BYTES:
        most = _MOST_QUERY_BYTES // size
        raise InvalidInputError(f" has {size} bytes, and is run with each of {count} texts; limit {most}", ("query",))
    wanted = count if query.top_k is None else query.top_k
    if not 1 <= wanted <= count:
        raise InvalidInputError(f": got {wanted}; limits 1..{count}", ("top_k",))
    run = HeadRun(execution=execution, head=head, long_texts=query.long_texts)
    run.check([(query.query, None)], lambda _: ("query",))
    run.check([(text, None) for text in query.texts], in_texts)
    scores, infos = await _scores(run, [(query.query, text) for text in query.texts], in_texts, query.scores)
    order = np.argsort(-scores[:, 0], kind="stable")[:wanted]
    return Reranked(indices=order.tolist(), scores=scores[order, 0], head=name, inputs=infos)


def check_pairs(count: int, execution: Execution, field: str) -> None:
    """Refuse no pairs, or more than half as many as there may be texts.

    Raises:
        InvalidInputError: how many, the limit.
    """
    most = execution.limits.max_texts // 2
    if not count:
        raise InvalidInputError(f" is empty; 1 to {most} are needed", (field,))
    if count > most:
        raise InvalidInputError(f" has {count} entries; limit {most}, as each has two texts", (field,))


async def _scores(
    run: HeadRun, inputs: Sequence[TextInput], path_of: PathOf, function: ScoreFunction | None
) -> tuple[Float32Array, list[InputInfo]]:
    """[N, C], of an input in windows their mean, and what became of each."""
    rows, infos = [], []
    async for _, one, logits in run.logits(inputs, path_of):
        rows.append(run.head.scores(np.stack(logits), function).mean(axis=0))
        infos.append(one.info)
    return np.stack(rows).astype(np.float32, copy=False), infos


def _in_pairs(index: int) -> FieldPath:
    return "pairs", index
