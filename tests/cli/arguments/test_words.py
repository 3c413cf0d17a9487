import pytest

from polyseme.cli.arguments.words import explained, text_without_word
from polyseme.cli.errors import CliError
from polyseme.client import InvalidArgumentError


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("h:1: texts[3].words[0]: not found", "text 4 has no such word"),
        (
            "h:1: texts[3].words[0]: not found; ignore_case and partial_word find it",
            "text 4 has no such word; --ignore-case and --partial-word find it",
        ),
    ],
)
def test_a_word_that_is_not_found_is_explained(message, expected):
    error = InvalidArgumentError(message, field="texts[3].words[0]")
    assert text_without_word(error) == 3
    assert isinstance(explained(error, "text"), CliError)
    assert str(explained(error, "text")) == expected


@pytest.mark.parametrize(
    ("message", "field"), [("texts[3].words[0]: covers no token", "texts[3].words[0]"), ("x: not found", None)]
)
def test_other_errors_stay(message, field):
    error = InvalidArgumentError(message, field=field)
    assert (text_without_word(error), explained(error, "text")) == (None, error)
