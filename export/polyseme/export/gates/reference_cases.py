"""The texts that the gates run, and their vectors by the float64 reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from typing import Final

import numpy as np

from polyseme.artifact import Pooling
from polyseme.export.encoders.reference import Float64Array, HiddenStates
from polyseme.runtime.batches.padded import Batch, collate
from polyseme.runtime.batches.token_types import TokenTypes
from polyseme.runtime.verification.reference_head import Dense, apply_dense, pool, to_length_one

Ids = list[int]
_DEFAULT_LENGTHS: Final = (1, 2, 3, 8, 17, 64, 128, 256)  # and the longest
_MIXED_TEXTS: Final = 8
_MIXED_TOKENS: Final = 48
_CHUNK_TOKENS: Final = 1024  # all layers of so many tokens are held at once: 80 MB for BERT-base


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCase:
    """Texts that are run together, and their vectors by the reference.

    Attributes:
        texts: N texts, as ids.
        batch: the same texts, padded.
        layers: per layer 0..L the vectors [T, H] of all real tokens, text after text.
        pooled: [N, D], of length 1; zeros stay zeros.
        logits: of each head that predicts, by name: [N, C], or [T, C] where it labels tokens.
        types: of the model, where tokens have two.
    """

    texts: list[Ids]
    batch: Batch
    layers: tuple[Float64Array, ...]
    pooled: Float64Array
    logits: Mapping[str, Float64Array] = field(default_factory=dict)
    types: TokenTypes | None = None

    @property
    def is_telling(self) -> bool:
        """True where it shows errors of a layout: texts of several lengths together."""
        return len(self.texts) > 1


def default_lengths(max_tokens: int) -> tuple[int, ...]:
    """Choose the lengths, in tokens: short ones, where an error by one shows, some longer ones, and the longest."""
    return (*(length for length in _DEFAULT_LENGTHS if length < max_tokens), max_tokens)


def make_texts(
    sentences: Sequence[Ids],
    lengths: Sequence[int],
    padding_idx: int | None = None,
    types: TokenTypes | None = None,
) -> list[list[Ids]]:
    """Make one text alone for each length, then a mixed batch: one token, and whole sentences from short to long.

    A long text is several sentences within one pair of special tokens: inside a text a model has never seen these, and
    what it makes of them says little (a </s> within a text moves all-mpnet-base-v2 ten times as far as any word does).
    But a padding token has to be seen where positions are counted past it: one text of the mixed batch has one. Where
    tokens have types, two texts of it are pairs.
    """
    first, last = _common(sentences), _common([sentence[::-1] for sentence in sentences])
    running = [token for sentence in sentences for token in sentence[first : len(sentence) - last]]
    running = running or [token for sentence in sentences for token in sentence]
    begin, end = list(sentences[0][:first]), list(sentences[0][len(sentences[0]) - last :])
    alone = [[_joined(begin, running, end, length)] for length in lengths]
    limit = min(max(lengths), _MIXED_TOKENS)
    short_first = sorted((list(sentence[:limit]) for sentence in sentences), key=len)
    step = max(1, (len(short_first) - 1) // (_MIXED_TEXTS - 1))
    one, *others = short_first[::step][:_MIXED_TEXTS]
    if padding_idx is not None:
        others = _with_padding(others, padding_idx)
    if types is not None:
        others = [*others[:-2], *(_as_pair(text, types) for text in others[-2:])]
    return [*alone, [one[:1], *others]]


def _with_padding(texts: list[Ids], padding_idx: int) -> list[Ids]:
    """Put a padding token into the middle of the first text that has room for one between others."""
    chosen = next((i for i, text in enumerate(texts) if len(text) > 4), None)
    if chosen is None:
        return texts
    text = texts[chosen]
    middle = len(text) // 2
    return [*texts[:chosen], [*text[:middle], padding_idx, *text[middle + 1 :]], *texts[chosen + 1 :]]


def _as_pair(text: Ids, types: TokenTypes) -> Ids:
    """Give the same, as if its second half were a second text."""
    middle = len(text) // 2
    return [*text[:middle], *(i + types.vocab_size for i in text[middle:])]


def _joined(begin: Ids, running: Ids, end: Ids, length: int) -> Ids:
    inner = [running[i % len(running)] for i in range(length - len(begin) - len(end))]
    return [*begin, *inner, *end][:length]


def _common(sentences: Sequence[Ids]) -> int:
    """With how many equal tokens all sentences begin; 0 for a sentence alone."""
    if len(sentences) < 2:
        return 0
    same = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*sentences, strict=False))
    return min(sum(1 for _ in same), (min(map(len, sentences)) - 1) // 2)


def make_reference_cases(
    reference: HiddenStates,
    groups: Sequence[list[Ids]],
    pooling: Pooling,
    pad_token_id: int,
    dense: Sequence[Dense] = (),
    *,
    padding_idx: int | None = None,
    types: TokenTypes | None = None,
    heads: Mapping[str, Callable[[Float64Array], Float64Array]] | None = None,
) -> Iterator[ReferenceCase]:
    """One case per group of texts, in order.

    Args:
        reference: the encoder in float64.
        groups: texts that are run together.
        pooling: of the embedding.
        pad_token_id: of the model.
        dense: what follows the pooling.
        padding_idx: of the model's spec.
        types: of the model, where tokens have two.
        heads: those that predict, in float64: vectors [T, H] of a text's tokens to logits, [C] or [T, C].
    """
    padded = partial(collate, pad_token_id=pad_token_id, padding_idx=padding_idx, types=types)
    for chunk in _chunks(groups):
        # Texts of several groups go through the reference together: each weight is read and widened once.
        per_layer = [iter(states) for states in reference([text for group in chunk for text in group])]
        for group in chunk:
            layers = [[next(states) for _ in group] for states in per_layer]
            case = _probe(padded(group), group, layers, pooling, dense)
            logits = {name: np.vstack([head(last) for last in layers[-1]]) for name, head in (heads or {}).items()}
            yield replace(case, logits=logits, types=types)


def _probe(
    batch: Batch, group: list[Ids], layers: list[list[Float64Array]], pooling: Pooling, dense: Sequence[Dense]
) -> ReferenceCase:
    pooled = apply_dense(np.stack([pool(last, pooling) for last in layers[-1]]), dense)
    return ReferenceCase(
        texts=group,
        batch=batch,
        layers=tuple(np.concatenate(states) for states in layers),
        pooled=to_length_one(pooled),
    )


def _chunks(groups: Sequence[list[Ids]]) -> Iterator[list[list[Ids]]]:
    """Successive groups of up to _CHUNK_TOKENS in all; a larger one stands alone."""
    chunk: list[list[Ids]] = []
    tokens = 0
    for group in groups:
        size = sum(map(len, group))
        if chunk and tokens + size > _CHUNK_TOKENS:
            yield chunk
            chunk, tokens = [], 0
        chunk.append(group)
        tokens += size
    if chunk:
        yield chunk
