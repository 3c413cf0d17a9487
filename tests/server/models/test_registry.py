from types import SimpleNamespace

import pytest

from polyseme.server.errors import ConfigError, UnknownModelError
from polyseme.server.models.registry import Models, default_of, key_of

KEYS = [("a", "1"), ("b", "1"), ("a", "2")]


def models(*keys, default=None):
    """Only names and versions matter here."""
    named = [SimpleNamespace(manifest=SimpleNamespace(name=name), version=version) for name, version in keys]
    return Models(named, default)


@pytest.mark.parametrize(
    ("asked", "expected"), [("", ("a", "1")), ("b", ("b", "1")), ("a", ("a", "1")), ("a@2", ("a", "2"))]
)
def test_default_of_finds_what_was_asked_for(asked, expected):
    assert default_of(KEYS, asked) == expected


def test_default_of_says_what_there_is():
    with pytest.raises(ConfigError, match="'c' is not served here; there are: a@1, b@1, a@2"):
        default_of(KEYS, "c")
    with pytest.raises(ConfigError, match="a@1 is given twice"):
        default_of([*KEYS, ("a", "1")], "")


def test_models_begin_with_the_default():
    assert [key_of(model) for model in models(*KEYS, default=("a", "2"))] == [("a", "2"), ("a", "1"), ("b", "1")]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(("", ""), ("a", "2")), (("a", ""), ("a", "2")), (("a", "1"), ("a", "1")), (("b", ""), ("b", "1"))],
)
def test_find_takes_the_default_of_what_is_left_out(asked, expected):
    assert key_of(models(*KEYS, default=("a", "2")).find(*asked)) == expected


@pytest.mark.parametrize(
    ("asked", "words"),
    [(("c", ""), "there are: a, b"), (("a", "3"), "served in version 1, 2; got '3'"), (("", "3"), "version 1, 2")],
)
def test_find_says_what_there_is(asked, words):
    with pytest.raises(UnknownModelError, match=words):
        models(*KEYS, default=("a", "1")).find(*asked)


def test_no_model_is_served_before_there_is_one():
    with pytest.raises(UnknownModelError, match="no model is served yet"):
        models().find("", "")
    assert models(("a", "1")).get(("a", "2")) is None
