"""Compare one span of a sentence with every word and with every sentence, in every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.responses import Response

from polyseme.client import AsyncClient, TokenizedText
from polyseme.gateway.bodies import parse_object
from polyseme.gateway.errors import HttpError
from polyseme.gateway.page.cosines import cosines, rounded
from polyseme.gateway.page.reading import Reading, embed_in_every_layer, read
from polyseme.gateway.page.request import integer_in, sentences_request
from polyseme.gateway.requests import Arrived, json_response


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a sentence.

    Attributes:
        sentence: index of the sentence.
        start: where it starts, in UTF-16 code units.
        end: where it ends (exclusive), in UTF-16 code units; > start.
    """

    sentence: int
    start: int
    end: int


class Spans:
    """The endpoint of spans."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def spans(self, arrived: Arrived) -> Response:
        """Answer POST /page/spans: cosines of the span with N words, [layers, N], and with S sentences, [layers, S].

        A sentence is compared as a span too, as the mean of its tokens. One of which the model sees no token has null.
        """
        body = parse_object(arrived.request, arrived.body)
        asked = sentences_request(body, "sentence", "start", "end")
        span = span_in(body, asked.sentences)
        reading = await read(self._client, asked, arrived)
        tokens = tokens_over(span.start, span.end, reading.tokens[span.sentence])
        if not tokens:
            raise HttpError(400, "the span has no token that the model reads", param="start")
        one, whole = await self._vectors(span, asked.sentences, reading, arrived)
        return json_response(
            {
                "sentence": span.sentence,
                "start": span.start,
                "end": span.end,
                "tokens": tokens,
                "words": rounded(cosines(one, reading.vectors)[:, 0]),
                "sentences": rounded(cosines(one, whole)[:, 0]),
            }
        )

    async def _vectors(
        self, span: Span, sentences: Sequence[str], reading: Reading, arrived: Arrived
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Embed the span, [layers, 1, H], and all sentences, [layers, S, H]; NaN where one has no token."""
        lengths = [utf16_length(sentence) for sentence in sentences]
        seen = [index for index, length in enumerate(lengths) if tokens_over(0, length, reading.tokens[index])]
        parts = [(index, (0, lengths[index])) for index in seen] + [(span.sentence, (span.start, span.end))]
        found = await embed_in_every_layer(
            self._client,
            [sentences[index] for index, _ in parts],
            [[part] for _, part in parts],
            model=reading.model,
            arrived=arrived,
        )
        vectors = np.concatenate([each.vectors for each in found], axis=1)
        whole = np.full((len(vectors), len(sentences), vectors.shape[-1]), np.nan, np.float32)
        whole[:, seen] = vectors[:, :-1]
        return vectors[:, -1:], whole


def span_in(body: Mapping[str, Any], sentences: Sequence[str]) -> Span:
    """Read the span.

    Raises:
        HttpError: 400, and the field that is wrong.
    """
    sentence = integer_in(body, "sentence", limit=len(sentences) - 1)
    text = sentences[sentence]
    offsets = {name: integer_in(body, name, limit=utf16_length(text)) for name in ("start", "end")}
    for name, offset in offsets.items():
        if _splits_a_character(text, offset):
            raise HttpError(400, f"{name} is {offset}, between two surrogates of one character", param=name)
    if offsets["start"] >= offsets["end"]:
        raise HttpError(400, f"start is {offsets['start']}, end is {offsets['end']}; a span is not empty", param="end")
    return Span(sentence=sentence, **offsets)


def utf16_length(text: str) -> int:
    """Count the UTF-16 code units of a text, as JavaScript does."""
    return len(text.encode("utf-16-le")) // 2


def tokens_over(start: int, end: int, text: TokenizedText) -> list[str]:
    """List the tokens that overlap a span; those that the model or a prompt added have no extent."""
    return [
        token
        for token, (begins, ends) in zip(text.tokens, text.offsets, strict=True)
        if begins < ends and begins < end and start < ends
    ]


def _splits_a_character(text: str, offset: int) -> bool:
    unit = text.encode("utf-16-le")[2 * offset : 2 * offset + 2]
    return len(unit) == 2 and 0xDC00 <= int.from_bytes(unit, "little") <= 0xDFFF
