"""TagTokens: entities in texts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from polyseme.artifact import HeadKind
from polyseme.runtime.heads.entities import Entity, entities, merged
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.predictions.finding import find_head
from polyseme.server.inference.predictions.queries import TagTokens
from polyseme.server.inference.predictions.running import Float32Array, HeadRun, InputInfo, Prepared, span_bytes
from polyseme.server.inference.validation import check_count, check_reply_bytes, in_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """The entities of one text.

    Attributes:
        entities: in the order of the text.
        info: what became of the text.
    """

    entities: list[Entity]
    info: InputInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedTexts:
    """The answer to TagTokens.

    Attributes:
        texts: in the order of the query.
        head: which answered.
        labels: of the head.
    """

    texts: list[Tagged]
    head: str
    labels: tuple[str, ...]


async def tag(query: TagTokens, execution: Execution) -> TaggedTexts:
    """Run texts, and find the entities of each.

    Raises:
        InvalidInputError: what, got, limit.
        NoHeadError: the model has no head that labels tokens.
        QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
    """
    name, head = find_head(execution.model, HeadKind.TOKEN_CLASSIFICATION, query.head)
    check_count(len(query.texts), execution.limits)
    inputs = [(text, None) for text in query.texts]
    run = HeadRun(execution=execution, head=head, long_texts=query.long_texts)
    run.check(inputs, in_texts)
    tokenizer, labels, texts, size = execution.model.encoder.tokenizer, head.spec.labels, [], 0

    def found_in(text: str, one: Prepared, logits: Sequence[Float32Array]) -> list[Entity]:
        found: list[Entity] = []
        for places, rows in zip(one.windows, logits, strict=True):
            found += entities(
                text,
                one.tokens,
                places.tolist(),
                head.scores(rows),
                labels,
                query.aggregation,
                marks_subwords=tokenizer.marks_subwords,
                unknown_ids=tokenizer.unknown_ids,
            )
        return merged(found) if len(one.windows) > 1 else found

    async for index, one, logits in run.logits(inputs, in_texts):
        text = query.texts[index]
        found = await asyncio.to_thread(found_in, text, one, logits)
        more = sum(span_bytes(text, entity.start, entity.end, len(entity.tokens)) for entity in found)
        size += more
        check_reply_bytes(size, execution.limits)
        execution.reserve(more)
        texts.append(Tagged(entities=found, info=one.info))
    return TaggedTexts(texts=texts, head=name, labels=labels)
