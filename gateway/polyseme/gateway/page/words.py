"""Compare every word of some sentences with every other, in every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from polyseme.client import AsyncClient, WordEmbeddings
from polyseme.gateway.bodies import json_type, parse_object
from polyseme.gateway.errors import HttpError
from polyseme.gateway.requests import Arrived, json_response

MAX_SENTENCES: Final = 12
MAX_CHARACTERS: Final = 1000
"""Characters of one sentence."""
MAX_TOKENS: Final = 256
"""Tokens of all sentences together: the answer has a number for each pair of words in each layer."""
_FIELDS: Final = ("sentences", "model")
_DIGITS: Final = 3


class Words:
    """The endpoint that the page asks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def words(self, arrived: Arrived) -> Response:
        """Answer POST /page/words: words with their tokens, and cosines [layers, words, words]; of sentences [N, N]."""
        sentences, name = asked(parse_object(arrived.request, arrived.body))
        model = await self._client.model(name, timeout=arrived.seconds_left)
        layers: list[int | Literal["static"]] = ["static", *range(model.num_hidden_layers + 1)]
        tokens = await self._client.tokenize(sentences, model=name, truncate="end", timeout=arrived.seconds_left)
        if (count := sum(map(len, tokens))) > MAX_TOKENS:
            raise HttpError(400, f"sentences have {count} tokens; limit {MAX_TOKENS}", param="sentences")
        found = await self._client.embed_words(
            sentences, model=name, layers=layers, combine="none", truncate="end", timeout=arrived.seconds_left
        )
        whole = await self._client.embed(sentences, model=name, truncate="end", timeout=arrived.seconds_left)
        return json_response(
            {
                "model": model.name,
                "layers": [str(layer) for layer in layers],
                "sentences": sentences,
                "words": [
                    described
                    for index, (words, text) in enumerate(zip(found, tokens, strict=True))
                    for described in _described(index, words, text.tokens)
                ],
                "cosines": rounded(cosines(np.concatenate([words.vectors for words in found], axis=1))),
                "sentence_cosines": rounded(cosines(whole)),
            }
        )


def asked(body: Mapping[str, Any]) -> tuple[list[str], str | None]:
    """Read the sentences and the model's name, None: the default one.

    Raises:
        HttpError: 400, and the field that is wrong.
    """
    if any(name not in _FIELDS for name in body):
        raise HttpError(400, f"the body has a field that is not known; known are {', '.join(_FIELDS)}")
    sentences, model = body.get("sentences"), body.get("model")
    if not isinstance(sentences, list) or not 1 <= len(sentences) <= MAX_SENTENCES:
        got = f"an array of {len(sentences)}" if isinstance(sentences, list) else json_type(sentences)
        raise HttpError(400, f"sentences is {got}; an array of 1 to {MAX_SENTENCES} strings", param="sentences")
    for index, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise HttpError(400, f"sentences[{index}] is no text", param=f"sentences[{index}]")
        if len(sentence) > MAX_CHARACTERS:
            got = f"has {len(sentence)} characters; limit {MAX_CHARACTERS}"
            raise HttpError(400, f"sentences[{index}] {got}", param=f"sentences[{index}]")
    if model is not None and not isinstance(model, str):
        raise HttpError(400, f"model is {json_type(model)}; a string", param="model")
    return sentences, model or None


def cosines(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compare vectors [..., N, D] with each other: [..., N, N]; 0 with a vector that is 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    compared: npt.NDArray[np.float32] = np.clip(units @ units.swapaxes(-1, -2), -1, 1)
    return compared


def rounded(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Round to what the page shows, in any shape [...]; JSON then has as few digits."""
    return np.ascontiguousarray(np.round(values, _DIGITS) + 0.0)


def _described(sentence: int, words: WordEmbeddings, tokens: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"sentence": sentence, "start": start, "end": end, "tokens": [tokens[index] for index in indices]}
        for (start, end), indices in zip(words.spans, words.tokens, strict=True)
    ]
