"""Entities that a head of the model finds. `make test-page`."""

import pytest
from tests.data.golden.make_heads import LONG
from tests.gateway.page.taggers import HEADS
from tests.integrations.page.browsing import asked_of, compare, text_of

pytestmark = pytest.mark.page

SENTENCES = ["🙂 john smith sat in the cafe\u0301 of new york", LONG.strip()]


@pytest.fixture
def page(open_page):
    page = open_page()
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#found mark")
    return page


def marks(text):
    """What is marked in a sentence, by an answer of the gateway."""
    coded = text["sentence"].encode("utf-16-le")
    return [
        f"{coded[2 * one['start'] : 2 * one['end']].decode('utf-16-le')} {one['group']} {one['score']:.2f}"
        for one in text["entities"]
    ]


def test_a_model_without_such_a_head_has_no_entities(open_page):
    assert open_page().locator("#entities").is_hidden()


def test_entities_are_marked_with_their_kind_and_score_by_the_head_that_is_chosen(page):
    assert page.locator("#head option").all_inner_texts() == list(HEADS)
    compare(page, *SENTENCES)
    page.wait_for_selector("#found li:nth-child(2)")
    shown = []
    for head in HEADS[:2]:
        asked, answer = asked_of(page, "/page/entities", lambda head=head: page.locator("#head").select_option(head))
        assert (asked["head"], asked["sentences"]) == (head, SENTENCES)
        page.wait_for_selector(f"#entities-status:has-text('by the head “{head}”')")
        want = [
            mark
            for sentence, text in zip(SENTENCES, answer["sentences"], strict=True)
            for mark in marks({"sentence": sentence, **text})
        ]
        assert text_of(page, "#found mark") == want
        shown.append(want)
        status = page.locator("#entities-status").inner_text()
        assert f"{len(want)} found by the head “{head}”." in status
        assert "Sentence 2 is long: it was read in" in status
    assert shown[0] != shown[1]


def test_a_sentence_is_whole_around_its_marks(page):
    compare(page, *SENTENCES)
    page.wait_for_selector("#found li:nth-child(2)")
    page.evaluate("document.querySelectorAll('.kind').forEach((it) => { it.previousSibling.remove(); it.remove(); })")
    assert text_of(page, "#found li") == SENTENCES


def test_entities_that_are_not_found_are_told(page):
    page.locator("#head").select_option("silent")
    page.wait_for_selector("#entities-status:has-text('The head “silent” finds none here.')")
    compare(page, "we sat")
    page.wait_for_selector("#found li:last-child:has-text('we sat')")
    assert page.locator("#found mark").count() == 0
