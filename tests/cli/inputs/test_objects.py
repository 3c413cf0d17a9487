import pytest
from tests.cli.inputs.reading import content

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.objects import json_array_records, json_line_records
from polyseme.cli.inputs.records import Record


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"secret", "is not JSON: Expecting value at column 1"),
        (b"{", "is not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{"text": "secret', "is not JSON: Unterminated string starting at column 10"),
        (b"[" * 100_000, "is not JSON that can be read: nested too deeply, or a number too long"),
        (b"[]", "is an array, not an object"),
        (b'"secret"', "is a string, not an object"),
        (b"1", "is a number, not an object"),
        (b'{"id": 1, "body": "secret"}', "has no field text; it has 2: id, body"),
        (b'{"text": null}', "field text is null, not a string"),
        (b'{"text": ["secret"]}', "field text is an array, not a string"),
    ],
)
def test_each_fault_of_a_line_has_its_reason(line, problem):
    records = list(json_line_records(content(line + b'\n{"text": "b"}\n'), "text"))
    assert records == [Record("", 1, problem), Record("b", 2)]


def test_blank_lines_are_skipped_and_counted():
    assert list(json_line_records(content(b'\n{"text": "a"}\r\n \r\n{"text": "b"}\n\n'), "text")) == [
        Record("a", 2),
        Record("b", 4),
    ]


def test_fields_are_kept_as_they_are():
    [record] = json_line_records(
        content(b'{"id": 7, "text": "a", "tags": ["x", null], "at": NaN}'), "text", ("tags", "id")
    )
    assert record == Record("a", 1, kept=(["x", None], 7))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": "a"}', "has no field id; it has 1: text"),
        (b'{"text": "a", "id": "\\ud800"}', "has a lone surrogate in a field to keep; it cannot be written as UTF-8"),
    ],
)
def test_a_field_that_cannot_be_kept_is_a_problem(line, problem):
    assert list(json_line_records(content(line), "text", ("id",))) == [Record("", 1, problem)]


def test_an_array_holds_texts_or_objects():
    data = '\ufeff["a",\n {"body": "b", "id": 1}, 3, null]'.encode()
    assert json_array_records(content(data), "body") == [
        Record("a", 1),
        Record("b", 2),
        Record("", 3, "is a number, not a string or an object"),
        Record("", 4, "is null, not a string or an object"),
    ]


def test_a_text_alone_has_nothing_to_keep():
    assert json_array_records(content(b'["a", {"text": "b", "id": 1}]'), "text", ("id",)) == [
        Record("", 1, "is a string, not an object"),
        Record("b", 2, kept=(1,)),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"text": "a"}', "in is an object, not an array of texts or objects"),
        (b'{"text": "a"}\n{"text": "b"}', "in is not JSON: Extra data at line 2 column 1; --format jsonl reads an obj"),
        (b'["a",\n"b"', "in is not JSON: Expecting ',' delimiter at line 2 column 4"),
        (b'["\xff"]', "in is not UTF-8: byte 2"),
    ],
)
def test_what_is_no_array_is_refused(data, message):
    with pytest.raises(CliError) as error:
        json_array_records(content(data), "text")
    assert str(error.value).startswith(message)
