"""One call on its way through a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from polyseme.runtime.text.inputs import TokenizedInput
from polyseme.runtime.text.tokenizer import EncodeOptions, TokenIds, TokenizedText
from polyseme.server.engine.client import Submission, TextTask
from polyseme.server.errors import QueueFullError
from polyseme.server.inference.queries import TextOptions
from polyseme.server.inference.stopwatch import Stopwatch
from polyseme.server.inference.usage import Usage
from polyseme.server.inference.validation import Limits, PathOf
from polyseme.server.models.served import ServedModel
from polyseme.server.scheduling import NOWHERE, Completed, Origin, Priority

T = TypeVar("T")

_COPIES: Final = 4  # copies of a reply while it is made: vectors, the reply to each text, the reply to all, its bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """Options that decide how a call waits.

    Attributes:
        priority: the queue that its texts wait in.
        deadline: when its caller stops waiting; seconds of the monotonic clock.
        caller: the identity of the caller; callers share an engine.
        waits_for_room: whether the call waits where the queue is full, instead of being refused.
    """

    priority: Priority = Priority.INTERACTIVE
    deadline: float = math.inf
    caller: str = ""
    waits_for_room: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One call: the model that answers it, its limits, its place in the queue, its times.

    Attributes:
        model: the model that answers.
        limits: the limits of the server.
        queue: how the call waits.
        stopwatch: measures the steps of the call.
        usage: counts the texts and tokens of the call.
        origin: the id of the call, for logs and traces.
        take_memory: counts bytes as held by the call; raises QueueFullError where they would be too many.
    """

    model: ServedModel
    limits: Limits
    queue: QueueOptions
    stopwatch: Stopwatch
    usage: Usage
    origin: Origin = NOWHERE
    take_memory: Callable[[int], None] = lambda _: None

    def reserve(self, size: int) -> None:
        """Count the memory of a reply, and what is held while it is made, before it is made.

        Args:
            size: bytes of the reply.

        Raises:
            QueueFullError: calls hold too much already.
        """
        self.take_memory(size * _COPIES)

    async def encode(self, texts: Sequence[str], options: TextOptions, path_of: PathOf) -> list[TokenIds]:
        """Give the token ids of texts, cut to the model's length.

        Args:
            texts: the texts.
            options: how they become tokens.
            path_of: gives the place of a text in the request, by its index.

        Raises:
            InvalidInputError: there is no such prompt; a text is too long (truncate=none), or has no token at all.
            QueueFullError: the queue would not take the texts.
        """
        await self._admit()
        encode = self.model.encoder.encode(texts, self._options(options), path_of)
        encoded = await self.stopwatch.tokenizing(encode)
        self.usage.add(len(encoded), sum(len(text.ids) for text in encoded), sum(text.truncated for text in encoded))
        return encoded

    async def tokenize(self, texts: Sequence[str], options: TextOptions, use: Callable[[TokenizedText], T]) -> list[T]:
        """Apply `use` to the tokens of each text, on a tokenizer thread; see `TextEncoder.tokenize`.

        Raises:
            InvalidInputError: there is no such prompt, or `use` refuses a text.
        """
        counted = self.model.encoder.tokenize(
            texts, self._options(options), lambda text: (len(text.ids), text.truncated, use(text))
        )
        made = await self.stopwatch.tokenizing(counted)
        self.usage.add(len(made), sum(tokens for tokens, _, _ in made), sum(cut for _, cut, _ in made))
        return [each for _, _, each in made]

    async def prepare(self, texts: Sequence[str], options: TextOptions, use: Callable[[TokenizedText], T]) -> list[T]:
        """Do as `tokenize` does, for texts that are then run.

        Raises:
            QueueFullError: the queue would not take the texts.
        """
        await self._admit()
        return await self.tokenize(texts, options, use)

    async def prepare_inputs(
        self, inputs: Sequence[tuple[str, str | None]], use: Callable[[int, TokenizedInput], tuple[int, T]]
    ) -> list[T]:
        """Give what `use` makes of the tokens of texts and pairs that are then run, on a tokenizer thread.

        Args:
            inputs: texts, or pairs of texts.
            use: takes the place of an input and its uncut tokens; gives how many the model will see, and the rest.

        Raises:
            InvalidInputError: what `use` raises.
            QueueFullError: what comes of it would not be admitted.
        """
        await self._admit()
        made = await self.stopwatch.tokenizing(self.model.encoder.inputs(inputs, use))
        self.usage.add(len(made), sum(tokens for tokens, _ in made))
        return [each for _, each in made]

    def prompt_tokens(self, texts: Sequence[TokenIds], options: TextOptions) -> list[int]:
        """Count the first tokens of each text that the pooling leaves out; an empty list: it leaves out none."""
        if self.model.spec.embedding.pools_prompt:
            return []
        encode = self._options(options)
        return [self.model.encoder.prompt_tokens(encode, text) for text in texts] if encode.prompt else []

    async def run(self, texts: Sequence[TextTask]) -> Completed:
        """Run texts, and wait for all of them.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
        """
        queue = self.queue
        submission = Submission(
            texts=texts,
            priority=queue.priority,
            deadline=queue.deadline,
            origin=self.origin,
            caller=queue.caller,
            refuse_late=not queue.waits_for_room,
        )
        while True:
            try:
                completed = await self.model.engine.submit(submission)
            except QueueFullError:
                if not queue.waits_for_room:
                    raise
                await self.model.engine.wait_for_room(queue.priority, queue.caller)
            else:
                self.stopwatch.ran(completed)
                return completed

    async def _admit(self) -> None:
        """Refuse a call whose texts the queue would not take, before work is put into them."""
        queue = self.queue
        if queue.waits_for_room:
            await self.model.engine.wait_for_room(queue.priority, queue.caller)
        else:
            self.model.engine.admit(queue.priority, queue.caller, queue.deadline)

    def _options(self, options: TextOptions) -> EncodeOptions:
        return self.model.encoder.options(
            options.truncate,
            add_special_tokens=options.add_special_tokens,
            prompt_name=options.prompt_name,
            without_prompt=options.without_prompt,
        )
