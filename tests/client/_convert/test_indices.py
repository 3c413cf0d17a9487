import pytest

from polyseme.client import InternalError, InvalidArgumentError
from polyseme.client._convert.indices import name_text, rename_texts, shift_texts


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("h:1: texts[3] has 913 tokens; limit 512", "h:1: texts[103] has 913 tokens; limit 512"),
        ("h:1: inputs[0].words[2] does not occur", "h:1: texts[100].words[2] does not occur"),
        ("h:1: contexts[3] is another word", "h:1: contexts[3] is another word"),
        ("h:1: got 9 texts; limit 8", "h:1: got 9 texts; limit 8"),
    ],
)
def test_shift_texts_counts_from_the_callers_first(message, expected):
    error = InvalidArgumentError(message, target="h:1")
    assert shift_texts(error, 100) is error
    assert str(error) == expected


def test_rename_texts_calls_them_what_the_caller_does():
    assert str(rename_texts(InvalidArgumentError("texts[1] and texts[2]"), _name)) == "a and b"


def _name(index):
    return "?ab"[index]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("h:1: texts[0] has 913 tokens", "h:1: texts[7] has 913 tokens"),
        ("h:1: error 0123", "h:1: texts[7]: error 0123"),
        ("error 0123", "texts[7]: error 0123"),
    ],
)
def test_name_text_always_names_it(message, expected):
    assert str(name_text(InternalError(message, target="h:1"), 7)) == expected
