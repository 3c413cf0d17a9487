"""Bytes become requests without holding up anybody else, however many the bytes are.

protobuf parses under the interpreter's lock: 16 MB of empty operands would stop every other call for more than half a
second, and what is then made of them for minutes. So a request that is not small is walked over first, field by field
(`fields.py`): what no request may hold refuses it at the first entry beyond the limit, before anything is parsed. What
is left is parsed in pieces, cut between fields, with a turn of the event loop after each: protobuf merges the pieces
into the message that the whole would have been.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
from google.protobuf.message import DecodeError, Message

from polyseme.server.errors import FieldPath, InvalidInputError
from polyseme.server.wire.messages.fields import LENGTH_DELIMITED, MalformedError, fields

SMALL_REQUEST: Final = 16 << 10  # most bytes that are parsed at once, whatever they hold: 8,192 empty texts take 0.7 ms
_SMALL_MESSAGE: Final = 256  # most bytes of a message within a request that is not walked into
_PIECE_BYTES: Final = 256 << 10
_PIECE_FIELDS: Final = 4096  # about 2 ms of walking
_MOST_OTHERS: Final = 128  # most fields of one message that are unknown or no lists: each is needed once
_LONGEST_NUMBER: Final = 10  # bytes of one number in a packed list


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most that a request may hold, as far as that is seen before it is parsed.

    Attributes:
        entries: most entries of all lists of one message together, by the message's full name.
        string_bytes: most bytes of one string.
    """

    entries: Mapping[str, int] = field(default_factory=dict)
    string_bytes: int = SMALL_REQUEST


class Intake:
    """Decodes the requests of one method.

    Large requests are decoded one after the other, so that the event loop gets a turn after every piece.
    """

    def __init__(self, descriptor: Descriptor, bounds: Bounds, turn: asyncio.Lock) -> None:
        """Learn the shape of the requests.

        Args:
            descriptor: the request in the contract; no message in it holds itself.
            bounds: how much a request may hold.
            turn: held while a large request is decoded; all methods share one.
        """
        self._request_class: Any = message_factory.GetMessageClass(descriptor)
        self._shape = _Shape(descriptor, bounds)
        self._bounds = bounds
        self._turn = turn

    async def read(self, data: bytes) -> Message:
        """Decode one request.

        Raises:
            InvalidInputError: the request holds more than it may, or is not protobuf.
        """
        if len(data) <= SMALL_REQUEST:
            return self._merged(self._request_class(), data)
        async with self._turn:
            # Walk all of it before any of it is parsed: a refused request costs no memory.
            pieces = [piece async for piece in _in_turns(_Walk(data, self._bounds).pieces(self._shape))]
            request = self._request_class()
            view = memoryview(data)
            async for target, start, end in _in_turns(iter(pieces)):
                message = request
                for name in target:
                    message = getattr(message, name)
                self._merged(message, view[start:end])
        return request  # type: ignore[no-any-return]

    def _merged(self, message: Any, data: bytes | memoryview) -> Message:  # noqa: ANN401
        try:
            message.MergeFromString(data)
        except DecodeError:
            raise undecodable() from None
        return message  # type: ignore[no-any-return]


Piece: TypeAlias = tuple[tuple[str, ...], int, int]
"""Names of fields, from the request to the message that the bytes are of; where they start and end."""


async def _in_turns(pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
    """Give what an iterator gives, and the event loop a turn between each and the next."""
    first = True
    for piece in pieces:
        if not first:
            await asyncio.sleep(0)
        first = False
        yield piece


class _Shape:
    """The fields of one message of a request.

    Attributes:
        fields: by number.
        limit: most entries of its lists together.
        lists: their names.
    """

    def __init__(self, descriptor: Descriptor, bounds: Bounds) -> None:
        proto = DescriptorProto()
        descriptor.CopyToProto(proto)
        self.limit = bounds.entries.get(descriptor.full_name, 0)
        self.fields = {
            one.number: _FieldShape(one, descriptor.fields_by_name[one.name].message_type, self.limit, bounds)
            for one in proto.field
        }
        self.lists = [one.name for one in self.fields.values() if one.is_list]
        if self.lists and not self.limit:
            raise ValueError(f"{descriptor.full_name} has lists and no bound")


class _FieldShape:
    """The shape of one field of a message.

    Attributes:
        name: as the contract has it.
        is_list: whether it is repeated.
        is_text: whether it is a string.
        named: whether errors name it; a message is named by its main field: `inputs[3]`, not `inputs[3].text`.
        most_bytes: of a value, if it is no message; shorter values are checked once they are parsed.
        shape: of its message, if it is one.
    """

    def __init__(self, proto: FieldDescriptorProto, message: Descriptor | None, entries: int, bounds: Bounds) -> None:
        self.name = proto.name
        self.is_list = proto.label == FieldDescriptorProto.LABEL_REPEATED
        self.is_text = proto.type == FieldDescriptorProto.TYPE_STRING
        one_of_several = proto.HasField("oneof_index") and not proto.proto3_optional
        self.named = proto.name != "text" and not one_of_several
        self.most_bytes = math.inf
        if self.is_text:
            self.most_bytes = max(bounds.string_bytes, SMALL_REQUEST)
        elif self.is_list and proto.type != FieldDescriptorProto.TYPE_BYTES:
            self.most_bytes = entries * _LONGEST_NUMBER  # packed: numbers that come as one value
        self.shape = _Shape(message, bounds) if message is not None else None


class _Tally:
    """Counts the fields of one message so far: a message that comes in parts is one message.

    Attributes:
        entries: of its lists together.
        others: fields that are no lists.
        next_index: of each list, by the number of its field.
    """

    __slots__ = ("entries", "next_index", "others")

    def __init__(self) -> None:
        self.entries = 0
        self.others = 0
        self.next_index: dict[int, int] = {}


class _Walk:
    """One walk over a request."""

    def __init__(self, data: bytes, bounds: Bounds) -> None:
        self._data = data
        self._string_bytes = bounds.string_bytes
        self._seen = 0  # fields
        self._tallies: defaultdict[tuple[str, ...], _Tally] = defaultdict(_Tally)

    def pieces(self, shape: _Shape) -> Iterator[Piece]:
        """Cut the request into pieces.

        Raises:
            InvalidInputError: it holds more than a request may, or is not protobuf.
        """
        try:
            yield from self._pieces(0, len(self._data), shape, (), ())
        except MalformedError:
            raise undecodable() from None

    def _pieces(
        self,
        start: int,
        end: int,
        shape: _Shape,
        path: FieldPath,
        target: tuple[str, ...] | None,
    ) -> Iterator[Piece]:
        """Walk over one message.

        Args:
            start: where it starts.
            end: where it ends.
            shape: what it is made of.
            path: what errors call it.
            target: names of fields from the request to it; None: it stands in a list, and is not cut.
        """
        tally = _Tally() if target is None else self._tallies[target]
        known, limit, index = shape.fields, shape.limit, tally.next_index
        entries, others, seen = tally.entries, tally.others, 0
        for begin, number, wire_type, content, stop in fields(self._data, start, end):
            seen += 1
            if target is not None and number and (seen + self._seen > _PIECE_FIELDS or begin - start > _PIECE_BYTES):
                yield target, start, begin
                start, seen, self._seen = begin, 0, 0
            field = known.get(number)
            if field is not None and field.is_list:
                entries += 1
                index[number] = index.get(number, -1) + 1
                if entries > limit:
                    raise _too_many(shape, path)
            else:
                others += 1
                if others > _MOST_OTHERS:
                    raise _refused(f"more than {_MOST_OTHERS} fields that are no lists; limit {_MOST_OTHERS}", path)
            size = stop - content
            if size <= _SMALL_MESSAGE or field is None or wire_type != LENGTH_DELIMITED:
                continue
            if field.shape is None:
                if size > field.most_bytes:
                    raise self._too_long(size, field, limit, _place(path, field, index.get(number)))
                continue
            place = _place(path, field, index.get(number))
            if field.is_list or target is None:
                for _ in self._pieces(content, stop, field.shape, place, None):
                    pass
                continue
            if begin > start:
                yield target, start, begin
            yield from self._pieces(content, stop, field.shape, place, (*target, field.name))
            start = stop
        tally.entries, tally.others = entries, others
        self._seen += seen
        if target is not None and end > start:
            yield target, start, end

    def _too_long(self, size: int, field: _FieldShape, limit: int, place: FieldPath) -> InvalidInputError:
        """Say that a text is too long, or that numbers must be too many whatever they are."""
        if field.is_text:
            return InvalidInputError(f" has {size} bytes; limit {self._string_bytes}", place)
        return _refused(f"more than {limit} entries; limit {limit}", place[:-1])


def _place(path: FieldPath, field: _FieldShape, index: int | None) -> FieldPath:
    """Spell where a field stands."""
    if field.named:
        path = (*path, field.name)
    return path if index is None else (*path, index)


def undecodable() -> InvalidInputError:
    """Give what is said of bytes that are no request."""
    return InvalidInputError("the request is not valid protobuf of this method, or holds text that is not UTF-8")


def _too_many(shape: _Shape, path: FieldPath) -> InvalidInputError:
    *others, last = shape.lists
    entries = f"more than {shape.limit} entries; limit {shape.limit}"
    if not others:
        return _refused(entries, (*path, last))
    names = f"{', '.join(others)} and {last} together has {entries}"
    return InvalidInputError(f": {names}" if path else names, path)


def _refused(what: str, path: FieldPath) -> InvalidInputError:
    return InvalidInputError(f" has {what}" if path else f"the request has {what}", path)
