from enum import Enum

import pytest

from polyseme.artifact.errors import InvalidManifestError
from polyseme.artifact.fields import Fields


class Colour(Enum):
    RED = "red"


GOOD = Fields(
    {"n": 3, "x": 0.5, "s": "line", "p": "two\nlines", "b": True, "c": "red", "h": "a" * 64, "l": ["a"], "i": [1, 2]},
    "top",
)


def test_what_is_well_formed_is_given():
    assert (GOOD.integer("n", most=3), GOOD.number("x", least=0, most=1), GOOD.text("s")) == (3, 0.5, "line")
    assert (GOOD.prose("p"), GOOD.boolean("b"), GOOD.choice("c", Colour)) == ("two\nlines", True, Colour.RED)
    assert (GOOD.sha256("h"), GOOD.lines("l", most=1)) == ("a" * 64, ("a",))
    assert GOOD.integers("i", most_entries=2, most=2) == (1, 2)
    assert Fields({"o": {"k": "v"}}, "").texts("o") == {"k": "v"}


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda f: f.text("gone"), "top.gone is missing"),
        (lambda f: f.integer("n", most=2), "top.n: got 3; limits 0..2"),
        (lambda f: f.integer("b", most=2), "top.b: expected an integer, got bool"),
        (lambda f: f.number("b", least=0, most=1), "top.b: expected a number"),
        (lambda f: f.number("n", least=0, most=1), "top.n: expected a number within 0..1"),
        (lambda f: f.text("p"), "top.p has characters that cannot be printed"),
        (lambda f: f.text("s", most=3), "top.s: 4 characters; limit 3"),
        (lambda f: f.choice("s", Colour), "top.s: got 'line'; one of red"),
        (lambda f: f.sha256("s"), "top.s: not a SHA-256"),
        (lambda f: f.lines("l", most=0), "top.l: expected at most 0 lines"),
        (lambda f: f.lines("i", most=9), "top.i: expected at most 9 lines"),
        (lambda f: f.integers("i", most_entries=1, most=9), "top.i: expected at most 1 integers"),
        (lambda f: f.integers("l", most_entries=9, most=9), "top.l: expected"),
        (lambda f: f.object("n"), "top.n: expected an object, got int"),
        (lambda f: f.objects("i", most=1), "top.i: 2 entries; limit 1"),
        (lambda f: f.objects("l", most=1), r"top.l\[0\]: expected an object, got str"),
        (lambda f: f.boolean("n"), "top.n: expected true or false, got int"),
    ],
)
def test_every_way_to_be_wrong_names_the_field(read, words):
    with pytest.raises(InvalidManifestError, match=words):
        read(GOOD)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "expected an object, got null"),
        ({"a\x1b[31m": 1}, r"a\\x1b\[31m is missing|a\\x1b"),
    ],
)
def test_no_name_steers_a_terminal(values, words):
    with pytest.raises(InvalidManifestError, match=words) as error:
        Fields(values, "").text("a\x1b[31m")
    assert str(error.value).isprintable()


def test_half_a_character_is_no_text():
    with pytest.raises(InvalidManifestError, match="lone surrogate"):
        Fields({"s": "\ud800"}, "").prose("s")
    with pytest.raises(InvalidManifestError, match="manifest key"):
        Fields({"o": {"\x1b": "v"}}, "").texts("o")
