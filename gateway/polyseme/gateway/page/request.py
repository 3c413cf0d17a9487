"""Read what the page asks about: some sentences, and the model that reads them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from polyseme.gateway.bodies import check_fields, json_type, name_in
from polyseme.gateway.errors import HttpError

MAX_SENTENCES: Final = 12
MAX_CHARACTERS: Final = 1000
"""Characters of one sentence."""
_FIELDS: Final = ("sentences", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentencesRequest:
    """Sentences to look at.

    Attributes:
        sentences: 1 to MAX_SENTENCES, none of them blank.
        model: NAME or NAME@VERSION; None: the server's default model.
    """

    sentences: list[str]
    model: str | None


def sentences_request(body: Mapping[str, Any], *more_fields: str) -> SentencesRequest:
    """Read the sentences and the model; the body may have `more_fields` besides.

    Raises:
        HttpError: 400, and the field that is wrong.
    """
    check_fields(body, (*_FIELDS, *more_fields))
    sentences = body.get("sentences")
    if not isinstance(sentences, list) or not 1 <= len(sentences) <= MAX_SENTENCES:
        got = f"an array of {len(sentences)}" if isinstance(sentences, list) else json_type(sentences)
        raise HttpError(400, f"sentences is {got}; an array of 1 to {MAX_SENTENCES} strings", param="sentences")
    for index, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise HttpError(400, f"sentences[{index}] is no text", param=f"sentences[{index}]")
        if len(sentence) > MAX_CHARACTERS:
            got = f"has {len(sentence)} characters; limit {MAX_CHARACTERS}"
            raise HttpError(400, f"sentences[{index}] {got}", param=f"sentences[{index}]")
    return SentencesRequest(sentences=sentences, model=name_in(body, "model"))


def integer_in(body: Mapping[str, Any], field: str, *, limit: int) -> int:
    """Read an integer, 0 to `limit`.

    Raises:
        HttpError: 400, it is none, or outside.
    """
    value = body.get(field)
    if type(value) is not int:  # a bool is an int too
        raise HttpError(400, f"{field} is {json_type(value)}; an integer from 0 to {limit}", param=field)
    if not 0 <= value <= limit:
        raise HttpError(400, f"{field} is {value}; an integer from 0 to {limit}", param=field)
    return value
