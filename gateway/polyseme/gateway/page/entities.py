"""Find the entities of sentences, by a head of the model."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from polyseme.client import AsyncClient, TaggedText
from polyseme.gateway.bodies import name_in, parse_object
from polyseme.gateway.page.reading import UNIT
from polyseme.gateway.page.request import sentences_request
from polyseme.gateway.requests import Arrived, json_response


class Entities:
    """The endpoint of entities."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def entities(self, arrived: Arrived) -> Response:
        """Answer POST /page/entities: those of each sentence; a sentence that is too long is read in windows."""
        body = parse_object(arrived.request, arrived.body)
        asked = sentences_request(body, "head")
        tagged = await self._client.entities(
            asked.sentences,
            model=asked.model,
            head=name_in(body, "head"),
            aggregation="first",  # whole words, as the page shows them
            long_texts="windows",
            offset_unit=UNIT,
            timeout=arrived.seconds_left,
        )
        return json_response({"sentences": [_described(text) for text in tagged]})


def _described(text: TaggedText) -> dict[str, Any]:
    return {
        "windows": text.info.windows,
        "entities": [
            {"start": entity.start, "end": entity.end, "group": entity.group, "score": round(entity.score, 3)}
            for entity in text.entities
        ],
    }
