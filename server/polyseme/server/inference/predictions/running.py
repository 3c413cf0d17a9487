"""Texts and pairs through the encoder and a head, some at a time: what is held of token vectors is bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from polyseme.artifact import HeadKind, Pooling
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.heads import LoadedHead
from polyseme.runtime.tasks import LayerMix, LayerVectors
from polyseme.runtime.text.inputs import Fit, Places, TokenizedInput, TooLongError, TooManyWindowsError, windows
from polyseme.server.engine.client import TextTask
from polyseme.server.errors import FieldPath, InvalidInputError, NotFiniteError
from polyseme.server.inference.execution import Execution
from polyseme.server.inference.parts.layers import Combine, layer_mix
from polyseme.server.inference.predictions.queries import LongTexts, TextInput
from polyseme.server.inference.validation import PathOf, check_texts

Float32Array = npt.NDArray[np.float32]
Window: TypeAlias = tuple[TokenizedInput, Places]
"""An input, and the places of its tokens that are run together."""

_MOST_ELEMENTS: Final = 1 << 22  # of token vectors that are held before the head takes them: 16 MiB
_MOST_WINDOWS: Final = 4096  # of one call


@dataclass(frozen=True, slots=True, kw_only=True)
class InputInfo:
    """The fate of one input: all that is kept of it to the end of its call.

    Attributes:
        tokens: that the model saw, over all windows.
        original_tokens: of the whole input.
        truncated: whether tokens were cut.
        windows: in how many it was run.
    """

    tokens: int
    original_tokens: int
    truncated: bool
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One input, tokenized: some hundred bytes a token.

    Attributes:
        tokens: uncut.
        windows: the places of the tokens of each.
        truncated: whether tokens were cut.
    """

    tokens: TokenizedInput
    windows: list[Places]
    truncated: bool

    @property
    def seen(self) -> int:
        """Tokens that the model sees, over all windows."""
        return sum(map(len, self.windows))

    @property
    def info(self) -> InputInfo:
        """Give what is told of it."""
        return InputInfo(
            tokens=self.seen,
            original_tokens=len(self.tokens.ids),
            truncated=self.truncated,
            windows=len(self.windows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadRun:
    """One call's way through a head.

    Attributes:
        execution: of the call.
        head: that predicts.
        long_texts: what becomes of inputs that are too long.
    """

    execution: Execution
    head: LoadedHead
    long_texts: LongTexts

    def check(self, inputs: Sequence[TextInput], path_of: PathOf, names: tuple[str, str] | None = None) -> None:
        """Refuse texts of too many bytes, and an overlap that no window has.

        Args:
            inputs: of the call.
            path_of: where each stands in the request.
            names: of the two fields of a pair; None: inputs are texts alone.

        Raises:
            InvalidInputError: which, got, limit.
        """
        limits, limit = self.execution.limits, self.execution.model.spec.max_tokens
        check_texts([first for first, _ in inputs], limits, _within(path_of, names[0] if names else ""))
        if names:
            check_texts([second or "" for _, second in inputs], limits, _within(path_of, names[1]))
        overlap = self.long_texts.overlap
        if overlap is not None and not 0 <= overlap < limit:
            raise InvalidInputError(f": got {overlap}; limits 0..{limit - 1}", ("overlap",))

    async def logits(
        self, inputs: Sequence[TextInput], path_of: PathOf
    ) -> AsyncIterator[tuple[int, Prepared, list[Float32Array]]]:
        """Give of each input, in order, its tokens, and the logits [C] or [T, C] of each of its windows.

        Raises:
            InvalidInputError: an input is too long, or has no token.
            QueueFullError: calls hold too much memory.
            QueueFullError, DeadlineExpiredError, EngineError: as `EngineClient.submit`.
        """
        index = runs = 0
        for portion in _portions(inputs):
            prepared = await self._prepare(portion, index, path_of, _MOST_WINDOWS - runs)
            runs += sum(len(one.windows) for one in prepared)
            waiting, done = deque(prepared), list[Float32Array]()
            for group in self._groups(prepared):
                done += await self._run(group)
                while waiting and len(done) >= (count := len(waiting[0].windows)):
                    yield index, waiting.popleft(), done[:count]
                    del done[:count]
                    index += 1

    async def _prepare(
        self, inputs: Sequence[TextInput], first: int, path_of: PathOf, most_windows: int
    ) -> list[Prepared]:
        limit = self.execution.model.spec.max_tokens
        fit = self.long_texts.fit
        overlap = limit // 4 if self.long_texts.overlap is None else self.long_texts.overlap

        left = most_windows

        def use(index: int, tokens: TokenizedInput) -> tuple[int, Prepared]:
            nonlocal left
            if not len(tokens.ids):
                raise InvalidInputError(" has 0 tokens; at least 1 is needed", path_of(first + index))
            try:
                parts = windows(tokens, limit, fit, overlap, is_pair=inputs[index][1] is not None, most=left)
            except TooLongError as error:
                raise InvalidInputError(f" {error}", path_of(first + index)) from error
            except TooManyWindowsError as error:
                told = f"the texts have more than {_MOST_WINDOWS} windows, which is the limit"
                raise InvalidInputError(told) from error
            left -= len(parts)
            cut = fit in (Fit.LONGEST_FIRST, Fit.ONLY_SECOND) and len(parts[0]) < len(tokens.ids)
            one = Prepared(tokens=tokens, windows=parts, truncated=cut)
            return one.seen, one

        prepared = await self.execution.prepare_inputs(inputs, use)
        self.execution.take_memory(sum(places.nbytes for one in prepared for places in one.windows))
        self.execution.usage.truncated += sum(one.truncated for one in prepared)
        return prepared

    def _groups(self, prepared: Sequence[Prepared]) -> list[list[Window]]:
        """Group windows whose vectors are held together; those of one input may be in several groups."""
        width = self.execution.model.spec.encoder.hidden_size
        groups: list[list[Window]] = []
        held = _MOST_ELEMENTS
        for one in prepared:
            for places in one.windows:
                rows = 1 if self.head.spec.kind is HeadKind.CLASSIFICATION else len(places)
                size = max(rows * width, len(places))
                if held + size > _MOST_ELEMENTS:
                    groups.append([])
                    held = 0
                groups[-1].append((one.tokens, places))
                held += size
        return groups

    async def _run(self, group: Sequence[Window]) -> list[Float32Array]:
        spec = self.execution.model.spec
        types = TokenTypes.of(spec.encoder)
        layers = () if self.head.spec.layer is None else (self.head.spec.layer,)
        mix = layer_mix(layers, static=False, combine=Combine.SUM, num_hidden_layers=spec.encoder.num_hidden_layers)
        tasks = []
        for tokens, places in group:
            ids = tokens.ids[places]
            ids = ids if types is None else types.mark(ids, tokens.types[places])
            tasks.append(TextTask(ids, self._task(len(places), mix, spec.encoder.hidden_size)))
        rows = (await self.execution.run(tasks)).rows
        return await asyncio.to_thread(self._through_head, [row[0] for row in rows])

    def _task(self, length: int, mix: LayerMix, hidden_size: int) -> LayerVectors:
        """Ask for what the head takes: the first token, the mean of all, or all, of its layer."""
        if self.head.spec.pooling is Pooling.CLS:
            return LayerVectors(mix, hidden_size, np.zeros(1, dtype=np.int32))
        every = np.arange(length, dtype=np.int32)
        if self.head.spec.pooling is Pooling.MEAN:
            return LayerVectors(mix, hidden_size, every, np.full((1, length), 1 / length, dtype=np.float32))
        return LayerVectors(mix, hidden_size, every)

    def _through_head(self, vectors: Sequence[Float32Array]) -> list[Float32Array]:
        """One product for all windows; then each window's own."""
        logits = self.head.logits(np.concatenate(vectors).astype(np.float32, copy=False))
        if not np.isfinite(logits).all():
            raise NotFiniteError("the head's output is not finite")
        by_window = np.split(logits, np.cumsum([len(rows) for rows in vectors])[:-1])
        return [rows[0] for rows in by_window] if self.head.spec.kind is HeadKind.CLASSIFICATION else by_window


def span_bytes(text: str, start: int, end: int, tokens: int) -> int:
    """Give the most bytes that a span of a text, in code points, takes in a reply, with so many tokens."""
    return _SPAN_BYTES + len(text[start:end].encode()) + 4 * tokens


def _portions(inputs: Sequence[TextInput]) -> list[Sequence[TextInput]]:
    """Group inputs that are tokenized together, by their characters; as `tokenizer.portions`."""
    portions: list[list[TextInput]] = []
    size = 0
    for one in inputs:
        characters = len(one[0]) + len(one[1] or "")
        if not portions or size + characters > _MOST_CHARACTERS:
            portions.append([])
            size = 0
        portions[-1].append(one)
        size += characters
    return list(portions)


_MOST_CHARACTERS: Final = 65_536
_SPAN_BYTES: Final = 32  # of a message's own fields around the text of a span


def _within(path_of: PathOf, name: str) -> Callable[[int], FieldPath]:
    return (lambda index: (*path_of(index), name)) if name else path_of
