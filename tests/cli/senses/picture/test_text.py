import pytest

from polyseme.cli.senses.picture import text
from polyseme.cli.senses.picture.text import readable, width_of


@pytest.fixture
def only_dejavu(monkeypatch):
    monkeypatch.setattr(text, "_FALLBACKS", ())
    for cached in (text.families, text._known):
        cached.cache_clear()
    yield
    for cached in (text.families, text._known):
        cached.cache_clear()


@pytest.mark.usefixtures("only_dejavu")
def test_what_the_font_lacks_becomes_a_square():
    assert readable("naïve 北京 🙂") == "naïve □□ □"


@pytest.mark.usefixtures("only_dejavu")
def test_a_bold_font_may_have_less():
    lacking = sorted(text._known("normal") - text._known("bold"))
    assert lacking
    assert readable(chr(lacking[0]), "bold") == "□"
    assert readable(chr(lacking[0])) == chr(lacking[0])


def test_a_space_at_the_end_has_its_width():
    assert width_of("the ", 10) > width_of("the", 10)


def test_a_dollar_has_the_width_of_a_dollar():
    assert width_of("$x^2$", 10) > width_of("x^2", 10)
