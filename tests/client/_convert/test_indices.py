import pytest

from polyseme.client import InternalError, InvalidArgumentError
from polyseme.client._convert.indices import (
    checked_field,
    concerns_text,
    name_text,
    rename_spans,
    rename_texts,
    shift_texts,
)

OF_OLDER_SERVERS = [
    ("h:1: texts[3] has 913 tokens; limit 512", "h:1: texts[103] has 913 tokens; limit 512", "texts[103]"),
    ("h:1: inputs[0].words[2]: not found", "h:1: texts[100].words[2]: not found", "texts[100].words[2]"),
    ("h:1: contexts[3] is another word", "h:1: contexts[3] is another word", None),
    ("h:1: got 9 texts; limit 8", "h:1: got 9 texts; limit 8", None),
]
OF_SERVERS_THAT_NAME_THE_FIELD = [
    ("texts[3]", "h:1: texts[3] has 913 tokens", "h:1: texts[103] has 913 tokens", "texts[103]"),
    (
        "inputs[0].words[2]",
        "h:1: inputs[0].words[2]: not found",
        "h:1: texts[100].words[2]: not found",
        "texts[100].words[2]",
    ),
    ("inputs[0].words[2]", "h:1: inputs[0] lacks it", "h:1: texts[100] lacks it", "texts[100].words[2]"),
    ("texts[3]", "h:1: contexts[3] is no field", "h:1: contexts[3] is no field", "texts[103]"),
    ("texts[3]", "h:1: too long", "h:1: too long", "texts[103]"),
    ("texts[3]", "h:1: texts[3] is not texts[30]", "h:1: texts[103] is not texts[30]", "texts[103]"),
    ("dimensions", "h:1: dimensions: got 9; limit 8", "h:1: dimensions: got 9; limit 8", "dimensions"),
    ("a[1]", "h:1: a[1] has 913 tokens", "h:1: a[1] has 913 tokens", "a[1]"),
]


@pytest.mark.parametrize(("message", "expected", "field"), OF_OLDER_SERVERS)
def test_shift_texts_counts_from_the_callers_first(message, expected, field):
    error = InvalidArgumentError(message, target="h:1")
    assert shift_texts(error, 100) is error
    assert (str(error), error.field) == (expected, field)


@pytest.mark.parametrize(("sent", "message", "expected", "field"), OF_SERVERS_THAT_NAME_THE_FIELD)
def test_shift_texts_counts_the_field_from_the_callers_first(sent, message, expected, field):
    error = InvalidArgumentError(message, target="h:1", field=sent)
    assert shift_texts(error, 100) is error
    assert (str(error), error.field) == (expected, field)


def test_rename_texts_calls_them_what_the_caller_does():
    error = rename_texts(InvalidArgumentError("texts[1] and texts[2]"), _name)
    assert (str(error), error.field) == ("a and b", "a")
    error = rename_texts(InvalidArgumentError("texts[1] is empty", field="texts[1]"), _name)
    assert (str(error), error.field) == ("a is empty", "a")


def _name(index):
    return "?ab"[index]


@pytest.mark.parametrize(
    ("message", "sent", "expected", "field"),
    [
        ("h:1: texts[0] has 913 tokens", None, "h:1: texts[7] has 913 tokens", "texts[7]"),
        ("h:1: texts[0] has 913 tokens", "texts[0]", "h:1: texts[7] has 913 tokens", "texts[7]"),
        ("h:1: too long", "texts[0]", "h:1: texts[7]: too long", "texts[7]"),
        ("h:1: error 0123", None, "h:1: texts[7]: error 0123", "texts[7]"),
        ("error 0123", None, "texts[7]: error 0123", "texts[7]"),
        ("h:1: dimensions: got 9", "dimensions", "h:1: texts[7]: dimensions: got 9", "dimensions"),
    ],
)
def test_name_text_always_names_it(message, sent, expected, field):
    error = name_text(InternalError(message, target="h:1", field=sent), 7)
    assert (str(error), error.field) == (expected, field)


@pytest.mark.parametrize(
    "field", ["texts[3]", "inputs[2].words[0]", "dimensions", "text_options.prompt_name", "a[1].word"]
)
def test_checked_field_takes_what_is_spelled_as_one(field):
    assert checked_field(field) == field


@pytest.mark.parametrize("field", ["", " ", "texts[3] ", "texts[3]\n", "texts[٣]", "3", "a b", "x" * 257])
def test_checked_field_takes_nothing_else(field):
    assert checked_field(field) is None


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, True),
        ("texts[3]", True),
        ("inputs[3].words[0]", True),
        ("dimensions", False),
        ("text_options.truncate", False),
    ],
)
def test_concerns_text_unless_another_field_is_named(field, expected):
    assert concerns_text(InvalidArgumentError("why", field=field)) is expected


@pytest.mark.parametrize(
    ("sent", "message", "expected", "field"),
    [
        ("texts[3].spans[12]", "h:1: texts[3].spans[12]: covers no token", "h:1: 3/12: covers no token", "3/12"),
        ("inputs[3].spans[12]", "h:1: inputs[3].spans[12]: x", "h:1: 3/12: x", "3/12"),
        ("texts[3]", "h:1: texts[3] has 913 tokens", "h:1: 3/None has 913 tokens", "3/None"),
        ("dimensions", "h:1: texts[3].spans[12]", "h:1: texts[3].spans[12]", "dimensions"),
    ],
)
def test_rename_spans_names_the_span_of_a_text(sent, message, expected, field):
    error = InvalidArgumentError(message, target="h:1", field=sent)
    assert rename_spans(error, lambda text, span: f"{text}/{span}") is error
    assert (str(error), error.field) == (expected, field)
