"""Build the requests of each method, serialized before the first is sent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from polyseme.client.models import model_ref
from polyseme.v1 import common_pb2, embedding_service_pb2

METHODS: Final = {"embed": "Embed", "words": "EmbedSpans", "tokens": "EmbedTokens", "stream": "StreamEmbed"}
"""Names on the command line, and their RPCs."""

_SENTENCES: Final = Path(__file__).with_name("sentences.txt")


def built_in_texts() -> list[str]:
    """Give sentences of seven works in the public domain, 2 to 120 words long."""
    return _SENTENCES.read_text(encoding="utf-8").splitlines()


def requests_of(method: str, texts: Sequence[str], size: int, model: str | None) -> list[list[bytes]]:
    """Give the messages of each call: calls take `size` texts in turn, and begin again after the last text.

    A stream has one message for each text, other calls have one in all.
    """
    count = len(texts) if size == 1 else max(1, -(-len(texts) // size))
    texts_of_calls = ([texts[(start * size + at) % len(texts)] for at in range(size)] for start in range(count))
    return [_messages(method, texts_of_call, model) for texts_of_call in islice(texts_of_calls, count)]


def _messages(method: str, texts: list[str], model: str | None) -> list[bytes]:
    ref = model_ref(model or "")
    options = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
    match method:
        case "words":
            inputs = [embedding_service_pb2.SpanInput(text=text) for text in texts]
            spans = embedding_service_pb2.EmbedSpansRequest(inputs=inputs, model=ref, text_options=options)
            return [spans.SerializeToString()]
        case "tokens":
            tokens = embedding_service_pb2.EmbedTokensRequest(texts=texts, model=ref, text_options=options)
            return [tokens.SerializeToString()]
        case "stream":
            singles = (
                embedding_service_pb2.EmbedRequest(texts=[text], model=ref, text_options=options) for text in texts
            )
            return [embedding_service_pb2.StreamEmbedRequest(embed=each).SerializeToString() for each in singles]
        case _:
            embed = embedding_service_pb2.EmbedRequest(texts=texts, model=ref, text_options=options)
            return [embed.SerializeToString()]
