"""The Big List of Naughty Strings on the page: each is shown as it is, and none is interpreted. `make test-page`."""

import json
from pathlib import Path

import pytest
from tests.integrations.page.browsing import compare, text_of

from polyseme.gateway.page.request import MAX_SENTENCES

pytestmark = pytest.mark.page

STRINGS = json.loads((Path(__file__).parents[2] / "data" / "blns.json").read_text(encoding="utf-8"))
SHOWN = [one for one in STRINGS if one.strip(" \ufeff")]  # all but three, which are blank lines
CHARACTERS = 200  # of a page at once: as few tokens as the page takes


def pages(strings):
    """Strings in lists that the page takes."""
    taken = []
    for one in strings:
        if len(taken) == MAX_SENTENCES or (taken and len("".join([*taken, one])) > CHARACTERS):
            yield taken
            taken = []
        taken.append(one)
    yield taken


def elements(page):
    """The kinds of elements that the page is made of."""
    return set(page.evaluate("[...document.querySelectorAll('body *')].map((it) => it.localName)"))


def test_every_string_is_shown_as_it_is(open_page):
    page = open_page()
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#found mark")
    plain, seen = elements(page), []
    for strings in pages(SHOWN):
        compare(page, *strings)
        page.wait_for_selector("#entities-status:not(:has-text('Looking'))")
        assert text_of(page, "#words .text") == strings
        assert text_of(page, "#matrix tbody bdi") == strings
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        seen += strings
        assert elements(page) <= plain
    assert seen == SHOWN
