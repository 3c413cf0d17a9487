import pytest
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from polyseme.server.wire.messages.fields import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, MalformedError, fields
from polyseme.v1 import model_service_pb2


def found(data):
    return [(number, wire_type, data[content:end]) for _, number, wire_type, content, end in fields(data, 0, len(data))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\x08\x96\x01", [(1, VARINT, b"\x96\x01")]),
        (b"\x12\x03abc", [(2, LENGTH_DELIMITED, b"abc")]),
        (b"\x1d\x00\x01\x02\x03\x21" + bytes(8), [(3, FIXED32, b"\x00\x01\x02\x03"), (4, FIXED64, bytes(8))]),
        (b"\xfa\xff\xff\xff\x0f\x01a", [((1 << 29) - 1, LENGTH_DELIMITED, b"a")]),
        (b"\x0a\x80\x01" + b"a" * 128, [(1, LENGTH_DELIMITED, b"a" * 128)]),
    ],
)
def test_fields_are_found(data, expected):
    assert expected == found(data)


def test_what_stands_in_a_group_has_no_number():
    assert [(number, wire_type) for number, wire_type, _ in found(b"\x0b\x10\x01\x13\x18\x01\x14\x0c\x10\x01")] == [
        (0, 3),
        (0, 0),
        (0, 3),
        (0, 0),
        (0, 4),
        (0, 4),
        (2, 0),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # no value
        b"\x08\x80",
        b"\x08" + b"\xff" * 11,
        b"\xff" * 1000,
        b"\x0a\x02a",  # shorter than it says
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0d\x00",
        b"\x09\x00",
        b"\x0e",  # wire types that do not exist
        b"\x0f",
        b"\x0c",  # the end of no group
    ],
)
def test_what_cannot_be_a_message_is_malformed(data):
    with pytest.raises(MalformedError):
        found(data)


def test_no_field_reaches_beyond_its_message():
    data = b"\x0a\x02ab"
    with pytest.raises(MalformedError):
        list(fields(data, 0, 3))


@given(st.binary(max_size=200))
def test_what_protobuf_takes_is_walked_to_its_end(data):
    """Every field is one that no message of this has: protobuf then tells what it has seen."""
    try:
        message = model_service_pb2.ListModelsRequest.FromString(data)
    except DecodeError:
        return
    assert [field.field_number for field in UnknownFieldSet(message)] == top(data)


def top(data):
    """The numbers of fields at the top, groups among them."""
    depth, numbers = 0, []
    for start, number, wire_type, *_ in fields(data, 0, len(data)):
        if not depth and wire_type != 4:
            numbers.append(number if wire_type != 3 else tag_number(data, start))
        depth += {3: 1, 4: -1}.get(wire_type, 0)
    return numbers


def tag_number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        if data[at] < 0x80:
            return value >> 3
        at, shift = at + 1, shift + 7
