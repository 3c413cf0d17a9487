"""Have a model read sentences: their tokens, and the vectors of their words in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from polyseme.client import AsyncClient, Model, OffsetUnit, TokenizedText, WordEmbeddings
from polyseme.gateway.errors import HttpError
from polyseme.gateway.page.request import SentencesRequest
from polyseme.gateway.requests import Arrived

MAX_TOKENS: Final = 256
"""Tokens of all sentences together: the answer has a number for each pair of words in each layer."""
UNIT: Final[OffsetUnit] = "utf16_code_unit"
"""The unit of offsets: that of strings in JavaScript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Sentences as a model reads them.

    Attributes:
        model: the model.
        tokens: of each sentence, cut at its end where it is too long.
        words: of each sentence, with vectors [layers, K, H]; the layers are "static", 0 and up.
    """

    model: Model
    tokens: list[TokenizedText]
    words: list[WordEmbeddings]

    @property
    def vectors(self) -> npt.NDArray[np.float32]:
        """The vectors of all words, [layers, N, H]."""
        return np.concatenate([words.vectors for words in self.words], axis=1)


async def read(client: AsyncClient, asked: SentencesRequest, arrived: Arrived) -> Reading:
    """Have the model that is asked for read the sentences.

    Raises:
        HttpError: 400, they have too many tokens.
    """
    model = await client.model(asked.model, timeout=arrived.seconds_left)
    tokens = await client.tokenize(
        asked.sentences, model=asked.model, truncate="end", offset_unit=UNIT, timeout=arrived.seconds_left
    )
    if (count := sum(map(len, tokens))) > MAX_TOKENS:
        raise HttpError(400, f"sentences have {count} tokens; limit {MAX_TOKENS}", param="sentences")
    words = await embed_in_every_layer(client, asked.sentences, None, model=model, arrived=arrived)
    return Reading(model=model, tokens=tokens, words=words)


def layers_of(model: Model) -> list[int | Literal["static"]]:
    """List the layers of a model, from the one that knows no context on."""
    return ["static", *range(model.num_hidden_layers + 1)]


async def embed_in_every_layer(
    client: AsyncClient,
    sentences: Sequence[str],
    spans: Sequence[Sequence[tuple[int, int]]] | None,
    *,
    model: Model,
    arrived: Arrived,
) -> list[WordEmbeddings]:
    """Embed spans of each sentence, None: its words; vectors are [layers, K, H]."""
    return await client.embed_words(
        sentences,
        spans=spans,
        model=model.name,
        layers=layers_of(model),
        combine="none",
        truncate="end",
        offset_unit=UNIT,
        timeout=arrived.seconds_left,
    )
