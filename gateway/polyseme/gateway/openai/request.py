"""Read the body of a request for embeddings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from polyseme.client import Truncate
from polyseme.gateway.bodies import check_fields, json_type, name_in
from polyseme.gateway.errors import HttpError

Encoding = Literal["float", "base64"]

_FIELDS: Final = ("input", "model", "encoding_format", "dimensions", "user", "prompt_name", "truncate")
_TRUNCATE: Final[tuple[Truncate, ...]] = ("none", "end", "start")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsRequest:
    """A request for embeddings.

    Attributes:
        texts: to embed.
        model: NAME or NAME@VERSION; None: the server's default model.
        encoding: of the vectors in the answer.
        dimensions: leading elements of each vector to keep; None: all.
        prompt_name: the model's prompt to put before each text; None: its default. Not in OpenAI's protocol.
        truncate: the end at which to cut texts that are too long; "none": refuse them. Not in OpenAI's protocol.
    """

    texts: list[str]
    model: str | None
    encoding: Encoding
    dimensions: int | None
    prompt_name: str | None
    truncate: Truncate


def embeddings_request(body: Mapping[str, Any], max_inputs: int) -> EmbeddingsRequest:
    """Check a body that was parsed; `user` is taken and ignored.

    Raises:
        HttpError: 400, and the field that is wrong.
    """
    check_fields(body, _FIELDS)
    encoding, dimensions, truncate = body.get("encoding_format"), body.get("dimensions"), body.get("truncate")
    if encoding not in (None, "float", "base64"):
        raise _wrong("encoding_format", "one of float and base64")
    if dimensions is not None and (type(dimensions) is not int or not 0 < dimensions < 1 << 31):
        raise _wrong("dimensions", "an integer from 1 on")
    if truncate is not None and truncate not in _TRUNCATE:
        raise _wrong("truncate", f"one of {', '.join(_TRUNCATE)}")
    return EmbeddingsRequest(
        texts=_texts(body.get("input"), max_inputs),
        model=name_in(body, "model"),
        encoding=encoding or "float",
        dimensions=dimensions,
        prompt_name=name_in(body, "prompt_name"),
        truncate=truncate or "none",
    )


def _texts(given: object, max_inputs: int) -> list[str]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise HttpError(400, f"input is {json_type(given)}; a string or an array of strings", param="input")
    if not given:
        raise HttpError(400, "input is empty; at least one string", param="input")
    if len(given) > max_inputs:
        raise HttpError(400, f"input has {len(given)} strings; limit {max_inputs} (--max-inputs)", param="input")
    for index, text in enumerate(given):
        if isinstance(text, int | list) and not isinstance(text, bool):
            raise HttpError(
                400,
                f"input[{index}] is {json_type(text)}: token ids are not taken, since they are those of another "
                "model's tokenizer; send strings (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
                param="input",
            )
        if not isinstance(text, str):
            raise HttpError(400, f"input[{index}] is {json_type(text)}; a string", param=f"input[{index}]")
    return given


def _wrong(field: str, expected: str) -> HttpError:
    return HttpError(400, f"{field} is not {expected}", param=field)
