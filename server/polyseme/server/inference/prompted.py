"""The vectors of whole texts, pooled in the graph; pooled here where the pooling leaves out the tokens of a prompt."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Pooling
from polyseme.runtime.tasks import FloatArray, LayerMix, LayerVectors, PooledVector
from polyseme.runtime.text.tokenizer import TokenIds
from polyseme.runtime.verification.reference_head import apply_dense
from polyseme.server.engine.client import TextTask
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.parts.layers import Combine, layer_mix
from polyseme.server.inference.queries import TextOptions
from polyseme.server.inference.similarity import unit
from polyseme.server.inference.validation import PathOf

_MOST_ELEMENTS: Final = 1 << 21  # most elements of token vectors that are held before they are pooled: 8 MiB


async def pooled_vectors(
    texts: Sequence[TokenIds], options: TextOptions, task: PooledVector, execution: Execution, path_of: PathOf
) -> Sequence[FloatArray]:
    """Run texts, and give one vector [D] of each.

    Args:
        texts: as `Execution.encode` gave them.
        options: how they became tokens.
        task: the task of each; its float16 is obeyed where the graph pools.
        execution: the execution of the call.
        path_of: gives the place of a text in the request, by its index.

    Raises:
        InvalidInputError: a text has no token but those of its prompt, and the model pools none of these.
        QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
    """
    prompts = execution.prompt_tokens(texts, options)
    if not prompts:
        return (await execution.run([TextTask(text.ids, task) for text in texts])).rows
    spec = execution.model.spec
    mix = layer_mix((), static=False, combine=Combine.SUM, num_hidden_layers=spec.encoder.num_hidden_layers)
    tasks = []
    for index, (text, first) in enumerate(zip(texts, prompts, strict=True)):
        if first >= len(text.ids):
            raise InvalidInputError(f" has {len(text.ids)} tokens, all of its prompt, and none to pool", path_of(index))
        own = np.arange(first, len(text.ids), dtype=np.int32)
        tasks.append(TextTask(text.ids, _own_tokens(own, mix, spec.encoder.hidden_size, spec.embedding.pooling)))
    group = max(1, _MOST_ELEMENTS // (spec.max_tokens * spec.encoder.hidden_size))
    pooled: list[FloatArray] = []
    for at in range(0, len(tasks), group):
        completed = await execution.run(tasks[at : at + group])
        pooled += [row[0].max(axis=0) for row in completed.rows]  # a sum has one row
    return await asyncio.to_thread(_through_head, np.stack(pooled), execution, normalized=task.normalized)


def _own_tokens(own: npt.NDArray[np.int32], mix: LayerMix, hidden_size: int, pooling: Pooling) -> LayerVectors:
    """Ask for the last layer of a text's own tokens: pooled, but for the maximum, which is no sum."""
    match pooling:
        case Pooling.MAX:
            return LayerVectors(mix, hidden_size, own)
        case Pooling.CLS:
            own, weight = own[:1], 1.0
        case Pooling.LAST_TOKEN:
            own, weight = own[-1:], 1.0
        case Pooling.MEAN:
            weight = 1 / len(own)
        case Pooling.MEAN_SQRT_LEN:
            weight = 1 / math.sqrt(len(own))
    return LayerVectors(mix, hidden_size, own, np.full((1, len(own)), weight, dtype=np.float32))


def _through_head(pooled: FloatArray, execution: Execution, *, normalized: bool) -> list[FloatArray]:
    """Put pooled vectors [N, H] through the dense layers: N of [D]."""
    vectors = apply_dense(pooled, execution.model.dense).astype(np.float32, copy=False)
    return list(unit(vectors) if normalized else vectors)
