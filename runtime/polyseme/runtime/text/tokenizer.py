"""The only owner of tokenizers: texts to token ids, cut to a model's length, with or without offsets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

# Calls are tokenized side by side on the server's own threads; threads below those would only compete with the runners.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
from tokenizers import Encoding
from tokenizers import Tokenizer as HFTokenizer
from tokenizers.models import Unigram

from polyseme.runtime.batches.padded import Int32Array
from polyseme.runtime.errors import TokenizerError
from polyseme.runtime.text.inputs import TokenizedInput

_PORTION: Final = 65_536  # characters; a longer text is a portion of its own


class Truncate(Enum):
    """The end of a text from which surplus tokens are cut."""

    NONE = "none"
    END = "end"
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """Options that decide how texts become tokens.

    Attributes:
        limit: most tokens, special tokens included.
        truncate: the end that is cut where there are more; NONE cuts nothing.
        add_special_tokens: whether to put the model's special tokens around each text.
        prompt: put before each text.
    """

    limit: int
    truncate: Truncate = Truncate.NONE
    add_special_tokens: bool = True
    prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIds:
    """The token ids of one text, as the model sees it.

    Attributes:
        ids: [T] int32, special tokens included; cut to the limit unless truncation is NONE.
        original_tokens: number of tokens before the cut.
    """

    ids: Int32Array
    original_tokens: int

    @property
    def truncated(self) -> bool:
        """True where tokens were cut."""
        return len(self.ids) < self.original_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedText(TokenIds):
    """The tokens of one text; entry i of every sequence describes token i.

    Attributes:
        tokens: as the vocabulary spells them.
        offsets: (start, end) in code points of the text without its prompt; (0, 0) for what is not of the text.
        word_ids: pre-tokenizer words of the text, counted from 0; -1 for tokens of no word and for those of the prompt.
        special: whether the id is one of `Tokenizer.special_ids`, however it came into the text.
        cut_offsets: offsets of the tokens that truncation dropped, as `offsets` has them; they tell none of the rest.
    """

    tokens: Sequence[str]
    offsets: Sequence[tuple[int, int]]
    word_ids: Sequence[int]
    special: Sequence[bool]
    cut_offsets: Sequence[tuple[int, int]]


class Tokenizer:
    """A model's tokenizer. Thread-safe; encoding releases the GIL.

    Attributes:
        special_ids: ids that stand for no text, such as [CLS]; the unknown token is not among them.
        marks_subwords: whether tokens within a word are spelled otherwise, as ##ing.
        unknown_ids: the id of the unknown token, if there is one.
    """

    def __init__(self, path: Path, *, vocab_size: int) -> None:
        """Load tokenizer.json.

        Args:
            path: the file.
            vocab_size: rows of the model's word-embedding table: every id must be below.

        Raises:
            TokenizerError: the file cannot be read, has ids that the model has not, or tokenizes at random.
        """
        try:
            self._tokenizer = HFTokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise TokenizerError(f"{path.name} cannot be read: {str(error)[:200]}") from error
        self._refuse_foreign_ids(path.name, vocab_size)
        if dropout := getattr(self._tokenizer.model, "dropout", None):
            raise TokenizerError(
                f"{path.name} leaves out merges at random (dropout {dropout:g}): no two runs are equal"
            )
        # Files of sentence-transformers models carry their own: MiniLM's pads to 128 and cuts at 128.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.special_ids = self._special_ids()
        self._unspoken = self.special_ids | self._unknown_ids()
        self._prefix, self._suffix = self._special_borders()
        self.marks_subwords = bool(getattr(self._tokenizer.model, "continuing_subword_prefix", None))
        self.unknown_ids = self._unknown_ids()

    def encode(self, texts: Sequence[str], options: EncodeOptions) -> list[TokenIds]:
        """Token ids of texts without lone surrogates; no offsets: the fast path."""
        keep = _Cut(options, self._prefix, self._suffix)
        encodings = self._tokenizer.encode_batch_fast(
            [options.prompt + text for text in texts], add_special_tokens=options.add_special_tokens
        )
        columns = (encoding.ids for encoding in encodings)  # each access copies the list out of Rust
        return [TokenIds(ids=np.array(keep(ids), np.int32), original_tokens=len(ids)) for ids in columns]

    def tokenize(self, texts: Sequence[str], options: EncodeOptions) -> Iterator[TokenizedText]:
        """Tokens of texts without lone surrogates, with their offsets, one text after the other."""
        keep = _Cut(options, self._prefix, self._suffix)
        encodings = self._tokenizer.encode_batch(
            [options.prompt + text for text in texts], add_special_tokens=options.add_special_tokens
        )
        return (self._tokenized(encoding, keep, len(options.prompt)) for encoding in encodings)

    def inputs(self, texts: Sequence[tuple[str, str | None]]) -> list[TokenizedInput]:
        """Tokens of texts and pairs of texts without lone surrogates, uncut, with the special tokens of the model."""
        encodings = self._tokenizer.encode_batch(
            [first if second is None else (first, second) for first, second in texts]
        )
        return [self._input(encoding) for encoding in encodings]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Give the text of token ids, as far as they tell it; an id that no token has is left out."""
        return self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)

    def prompt_tokens(self, options: EncodeOptions) -> int:
        """Count the tokens that stand before a text for its prompt, as sentence-transformers counts them.

        Those of the prompt alone, special tokens before it included, less one if the last is special. Where the first
        word of a text joins the last of the prompt, it is not known which tokens are whose: their number decides.
        """
        if not options.prompt:
            return 0
        (alone,) = self.encode([options.prompt], replace(options, prompt="", truncate=Truncate.END))
        return len(alone.ids) - (int(alone.ids[-1]) in self._unspoken if len(alone.ids) else 0)

    def _input(self, encoding: Encoding) -> TokenizedInput:
        return TokenizedInput(
            ids=np.array(encoding.ids, np.int32),
            types=np.array(encoding.type_ids, np.bool_),
            texts=[-1 if text is None else text for text in encoding.sequence_ids],
            tokens=encoding.tokens,
            offsets=encoding.offsets,
            word_ids=[-1 if word is None else word for word in encoding.word_ids],
        )

    def _tokenized(self, encoding: Encoding, keep: _Cut, prompt_length: int) -> TokenizedText:
        ids, offsets, words = keep(encoding.ids), encoding.offsets, encoding.word_ids  # each access copies
        own = (word for word, (_, end) in zip(words, offsets, strict=True) if end > prompt_length)
        first_word = (next(own, None) or 0) if prompt_length else 0
        kept, cut = (_without_prompt(part, prompt_length) for part in keep.split(offsets))
        return TokenizedText(
            ids=np.array(ids, np.int32),
            original_tokens=len(offsets),
            tokens=keep(encoding.tokens),
            offsets=kept,
            word_ids=[
                word - first_word if end and word is not None else -1
                for word, (_, end) in zip(keep(words), kept, strict=True)
            ],
            special=[i in self.special_ids for i in ids],
            cut_offsets=cut,
        )

    def _special_ids(self) -> frozenset[int]:
        unknown = self._unknown_token()
        added = self._tokenizer.get_added_tokens_decoder()
        return frozenset(i for i, token in added.items() if token.special and token.content != unknown)

    def _unknown_ids(self) -> frozenset[int]:
        """Give the id of the unknown token, which is special to transformers."""
        token = self._unknown_token()
        number = None if token is None else self._tokenizer.token_to_id(token)
        return frozenset() if number is None else frozenset((number,))

    def _unknown_token(self) -> str | None:
        """Give the token for text that the vocabulary lacks; Unigram models keep its id to themselves."""
        if not isinstance(self._tokenizer.model, Unigram):
            return getattr(self._tokenizer.model, "unk_token", None)
        number = json.loads(self._tokenizer.to_str())["model"].get("unk_id")
        return None if number is None else self._tokenizer.model.id_to_token(number)

    def _special_borders(self) -> tuple[int, int]:
        """Count the special tokens that the model puts before and after a text."""
        mask = self._tokenizer.encode("a", add_special_tokens=True).special_tokens_mask
        prefix = mask.index(0) if 0 in mask else 0
        suffix = mask[::-1].index(0) if 0 in mask else 0
        return prefix, suffix

    def _refuse_foreign_ids(self, name: str, vocab_size: int) -> None:
        highest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        if highest >= vocab_size:
            raise TokenizerError(f"{name} has ids up to {highest}; the model's vocabulary ends at {vocab_size - 1}")


class _Cut:
    """Cuts a column of tokens to the limit and keeps the special tokens at both ends."""

    __slots__ = ("_limit", "_prefix", "_suffix", "_truncate")

    def __init__(self, options: EncodeOptions, prefix: int, suffix: int) -> None:
        self._limit = options.limit
        self._truncate = options.truncate
        self._prefix, self._suffix = (prefix, suffix) if options.add_special_tokens else (0, 0)

    def __call__(self, column: list[Any]) -> list[Any]:
        return self.split(column)[0]

    def split(self, column: list[Any]) -> tuple[list[Any], list[Any]]:
        """Split a column into the tokens that are kept and those that are dropped."""
        surplus = len(column) - self._limit
        if surplus <= 0 or self._truncate is Truncate.NONE:
            return column, []
        start = self._prefix if self._truncate is Truncate.START else len(column) - self._suffix - surplus
        end = start + surplus
        return column[:start] + column[end:], column[start:end]


def portions(texts: Iterable[str]) -> Iterator[list[str]]:
    """Put texts into portions, each worth a turn of a tokenizer thread.

    A portion bounds memory, as a token takes over 100 bytes before its text is cut, and lets other calls go in between.
    """
    some: list[str] = []
    size = 0
    for text in texts:
        if some and size + len(text) > _PORTION:
            yield some
            some, size = [], 0
        some.append(text)
        size += len(text)
    if some:
        yield some


def _without_prompt(offsets: list[tuple[int, int]], prompt_length: int) -> list[tuple[int, int]]:
    if not prompt_length:
        return offsets
    return [(max(start - prompt_length, 0), max(end - prompt_length, 0)) for start, end in offsets]
