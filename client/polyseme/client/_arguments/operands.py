"""Check the operands of similarity, texts and parts of texts, and convert them."""

from __future__ import annotations

from typing import Any

from polyseme.client._arguments.texts import as_list, utf8_size
from polyseme.client._arguments.words import span_message, word_query
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.words import Mention, Word
from polyseme.v1 import embedding_service_pb2 as service_pb2


def as_operands(operands: Any, name: str) -> tuple[list[service_pb2.Operand], bool]:  # noqa: ANN401  any value is taken, and checked
    """Convert operands to messages; say whether a single one was passed.

    Raises:
        InvalidArgumentError: an operand is invalid; the message names it as `name[i]`.
    """
    listed, single = ([operands], True) if isinstance(operands, Mention) else as_list(operands, name)
    if not listed:
        raise InvalidArgumentError(f"{name} is empty; at least one text is needed", field=name)
    return [_operand(one, f"{name}[{index}]") for index, one in enumerate(listed)], single


def mention(operand: object, name: str) -> Mention:
    """Convert an operand of word_similarity, a Mention or a tuple of a text and a part of it, to a Mention.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(operand, Mention):
        return operand
    if isinstance(operand, tuple) and len(operand) == 2:
        text, part = operand
        return Mention(text, word=part) if isinstance(part, str | Word) else Mention(text, span=part)
    raise InvalidArgumentError(f"{name} must be a Mention or (text, word), got {type(operand).__name__}", field=name)


def _operand(one: object, name: str) -> service_pb2.Operand:
    text = one.text if isinstance(one, Mention) else one
    if not isinstance(text, str):
        raise InvalidArgumentError(f"{name} must be a str or a Mention, got {type(text).__name__}", field=name)
    utf8_size(text, name)
    operand = service_pb2.Operand(text=text)
    if isinstance(one, Mention):
        if one.word is not None:
            operand.word.CopyFrom(word_query(one.word, f"{name}.word"))
        else:
            operand.span.CopyFrom(span_message(one.span, f"{name}.span"))
    return operand
