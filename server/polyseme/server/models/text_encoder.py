"""A model's tokenizer with its prompts and limits; what is not short is tokenized on threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from polyseme.artifact import ModelSpec
from polyseme.runtime.text.inputs import TokenizedInput
from polyseme.runtime.text.tokenizer import EncodeOptions, TokenIds, TokenizedText, Tokenizer, Truncate, portions
from polyseme.runtime.text.words import words
from polyseme.server.errors import FieldPath, InvalidInputError

T = TypeVar("T")

_WARM_UP: Final = "warm up"
_SHORT: Final = 512  # characters: 0.2 ms or so, where a thread costs as much again: bench/results/hot-path.md
_PART: Final = 8192  # characters: some 2 ms, of which a thread's hand-over is a fortieth
_WITHOUT_PROMPT: Final[FieldPath] = ("text_options", "without_prompt")


class TextEncoder:
    """Turns texts into tokens; but for a short text, off the event loop.

    Attributes:
        tokenizer: the model's own.
    """

    def __init__(self, tokenizer: Tokenizer, spec: ModelSpec, model: str, threads: int) -> None:
        """Take a tokenizer, and use it once: its first use takes longer, and no caller should pay for that.

        Args:
            tokenizer: the model's tokenizer.
            spec: the model's prompts and limits.
            model: the model's name, for messages.
            threads: number of tokenizer threads.
        """
        self.tokenizer = tokenizer
        self._spec = spec
        self._model = model
        self._prompt_tokens: dict[tuple[str, bool], int] = {}
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="tokenizer")
        self._idle = threads  # of them; counted on the event loop
        options = EncodeOptions(limit=spec.max_tokens, truncate=Truncate.END)
        tokenizer.encode([_WARM_UP], options)
        next(tokenizer.tokenize([_WARM_UP], options))
        list(words(_WARM_UP))

    def options(
        self, truncate: Truncate, *, add_special_tokens: bool, prompt_name: str, without_prompt: bool = False
    ) -> EncodeOptions:
        """Give the options of a call, with the prompt that it names.

        Raises:
            InvalidInputError: the model has no prompt of that name, or the call names a prompt and asks for none.
        """
        return EncodeOptions(
            limit=self._spec.max_tokens,
            truncate=truncate,
            add_special_tokens=add_special_tokens,
            prompt=self._prompt(prompt_name, without=without_prompt),
        )

    def prompt_tokens(self, options: EncodeOptions, text: TokenIds) -> int:
        """Count the first tokens of a text that are of its prompt, or stand before that.

        Args:
            options: as `options` gave them.
            text: encoded with them; where its start was cut off, fewer are left.
        """
        key = (options.prompt, options.add_special_tokens)
        if key not in self._prompt_tokens:
            self._prompt_tokens[key] = self.tokenizer.prompt_tokens(options)
        cut = text.original_tokens - len(text.ids) if options.truncate is Truncate.START else 0
        return max(self._prompt_tokens[key] - cut, 0)

    async def encode(
        self, texts: Sequence[str], options: EncodeOptions, path_of: Callable[[int], FieldPath]
    ) -> list[TokenIds]:
        """Give the token ids of texts, cut to the model's length.

        Args:
            texts: the texts.
            options: as `options` gave them.
            path_of: gives the place of a text in the request, by its index.

        Raises:
            InvalidInputError: a text is too long (truncate=none), or has no token at all.
        """
        encoded: list[TokenIds] = []
        for portion in portions(texts):
            if len(portion) == 1 and len(portion[0]) + len(options.prompt) <= _SHORT:
                encoded += self.tokenizer.encode(portion, options)
            else:
                encoded += await self._spread(portion, options)
            for index in range(len(encoded) - len(portion), len(encoded)):
                if not 0 < len(encoded[index].ids) <= self._spec.max_tokens:
                    self.refuse_unfit(encoded[index], path_of(index))
        return encoded

    async def tokenize(
        self, texts: Sequence[str], options: EncodeOptions, use: Callable[[TokenizedText], T]
    ) -> list[T]:
        """Give the tokens of texts with offsets; with truncate=none, all of them.

        Args:
            texts: the texts.
            options: as `options` gave them.
            use: called with each text's tokens, in order, on the tokenizer's thread: a quarter of a million tokens
                would hold up the event loop. An exception in it ends the call.
        """

        def work(texts: Sequence[str], options: EncodeOptions) -> list[T]:
            return [use(tokens) for tokens in self.tokenizer.tokenize(texts, options)]

        used: list[T] = []
        for portion in portions(texts):
            used += await self._on_thread(work, portion, options)
        return used

    async def inputs(self, texts: Sequence[tuple[str, str | None]], use: Callable[[int, TokenizedInput], T]) -> list[T]:
        """Give what `use` makes of the place and the uncut tokens of texts and pairs, on the tokenizer's thread."""

        def work() -> list[T]:
            return [use(index, tokens) for index, tokens in enumerate(self.tokenizer.inputs(texts))]

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Give the text of token ids, as far as they tell it."""

        def work() -> str:
            return self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def refuse_unfit(self, text: TokenIds, path: FieldPath) -> None:
        """Refuse a text that has too many tokens, or none.

        Raises:
            InvalidInputError: the place of the text, its tokens, the limit.
        """
        tokens, limit = len(text.ids), self._spec.max_tokens
        if tokens > limit:
            raise InvalidInputError(f" has {tokens} tokens; limit {limit} (truncate=none)", path)
        if not tokens:
            raise InvalidInputError(" has 0 tokens; at least 1 is needed (add_special_tokens=false)", path)

    def close(self) -> None:
        """End its threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _spread(self, texts: Sequence[str], options: EncodeOptions) -> list[TokenIds]:
        """Encode on one thread, or on all that are idle where that is worth it: no other call waits longer for it."""
        parts = _parts(texts, self._idle)
        if len(parts) == 1:
            return await self._on_thread(self.tokenizer.encode, texts, options)
        encoded = await asyncio.gather(*(self._on_thread(self.tokenizer.encode, part, options) for part in parts))
        return [text for part in encoded for text in part]

    async def _on_thread(
        self, work: Callable[[Sequence[str], EncodeOptions], list[T]], texts: Sequence[str], options: EncodeOptions
    ) -> list[T]:
        self._idle -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, texts, options)
        finally:
            self._idle += 1

    def _prompt(self, name: str, *, without: bool) -> str:
        if without and name:
            raise InvalidInputError(" and prompt_name are both set; at most one may be", _WITHOUT_PROMPT)
        name = "" if without else name or self._spec.default_prompt_name
        if not name:
            return ""
        try:
            return self._spec.prompts[name]
        except KeyError:
            known = ", ".join(sorted(self._spec.prompts)) or "none"
            raise InvalidInputError(
                f": {self._model} has no prompt of that name; it has: {known}", ("text_options", "prompt_name")
            ) from None


def _parts(texts: Sequence[str], most: int) -> list[Sequence[str]]:
    """Cut texts into parts of about equal size, each worth a thread of its own."""
    number = min(most, len(texts), sum(map(len, texts)) // _PART)
    if number < 2:
        return [texts]
    size = -(-len(texts) // number)
    return [texts[at : at + size] for at in range(0, len(texts), size)]
