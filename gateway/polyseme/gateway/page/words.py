"""Compare every word of some sentences with every other, in every layer."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from polyseme.client import AsyncClient, Model, TokenizedText, WordEmbeddings
from polyseme.gateway.bodies import parse_object
from polyseme.gateway.page.cosines import cosines, rounded
from polyseme.gateway.page.reading import layers_of, read
from polyseme.gateway.page.request import sentences_request
from polyseme.gateway.requests import Arrived, json_response

_FINDS_ENTITIES: Final = "token_classification"


class Words:
    """The endpoint of words."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def words(self, arrived: Arrived) -> Response:
        """Answer POST /page/words: words with their tokens, and cosines [layers, N, N]; of S sentences [S, S].

        Besides: the names of all models, the heads of this one that find entities, and which sentences were cut.
        """
        asked = sentences_request(parse_object(arrived.request, arrived.body))
        reading = await read(self._client, asked, arrived)
        whole = await self._client.embed(
            asked.sentences, model=asked.model, truncate="end", timeout=arrived.seconds_left
        )
        models = await self._client.models(timeout=arrived.seconds_left)
        return json_response(
            {
                "model": reading.model.name,
                "models": [model.name for model in models],
                "heads": _heads(reading.model),
                "layers": [str(layer) for layer in layers_of(reading.model)],
                "sentences": asked.sentences,
                "max_tokens": reading.model.max_tokens,
                "truncated": [index for index, text in enumerate(reading.tokens) if text.info.truncated],
                "words": [
                    described
                    for index, (words, text) in enumerate(zip(reading.words, reading.tokens, strict=True))
                    for described in _described(index, words, text)
                ],
                "cosines": rounded(cosines(reading.vectors, reading.vectors)),
                "sentence_cosines": rounded(cosines(whole, whole)),
            }
        )


def _heads(model: Model) -> list[dict[str, Any]]:
    return [{"name": head.name, "groups": head.groups} for head in model.heads if head.kind == _FINDS_ENTITIES]


def _described(sentence: int, words: WordEmbeddings, text: TokenizedText) -> list[dict[str, Any]]:
    return [
        {"sentence": sentence, "start": start, "end": end, "tokens": [text.tokens[index] for index in indices]}
        for (start, end), indices in zip(words.spans, words.tokens, strict=True)
    ]
