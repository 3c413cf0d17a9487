"""Decode: token ids to the text that they tell."""

from __future__ import annotations

from typing import Final

from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.queries import Decode
from polyseme.server.inference.validation import check_reply_bytes

MAX_IDS: Final = 1 << 16  # of one call: about 20 ms of a tokenizer thread


async def decode(query: Decode, execution: Execution) -> str:
    """Decode token ids.

    Raises:
        InvalidInputError: too many ids, or one that the model's vocabulary has not.
    """
    if len(query.ids) > MAX_IDS:
        raise InvalidInputError(f" has {len(query.ids)} entries; limit {MAX_IDS}", ("ids",))
    most = execution.model.spec.encoder.vocab_size - 1
    for index, number in enumerate(query.ids):
        if number > most:
            raise InvalidInputError(f": got {number}; limits 0..{most}", ("ids", index))
    decoding = execution.model.encoder.decode(query.ids, skip_special_tokens=query.skip_special_tokens)
    text = await execution.stopwatch.tokenizing(decoding)
    check_reply_bytes(len(text.encode()), execution.limits)
    return text
