"""Words, coloured by how close they are to one of them. `make test-page`."""

import pytest
from tests.integrations.page.browsing import compare, text_of, word

pytestmark = pytest.mark.page


def test_a_word_is_coloured_by_its_context_layer_by_layer(open_page):
    page = open_page()
    banks = page.locator(".word[aria-label^='bank,']")
    assert banks.count() == 4
    page.locator("#layer").fill("0")
    assert page.locator("#layer-name").inner_text() == "static"
    assert [banks.nth(n).get_attribute("aria-label") for n in range(4)] == ["bank, cosine 1.00"] * 4
    page.locator("#layer").fill("7")
    assert page.locator("#layer-name").inner_text() == "6: last"
    assert banks.nth(1).get_attribute("aria-label") != "bank, cosine 1.00"


def test_the_layer_stays_with_other_sentences_of_the_same_model(open_page):
    page = open_page()
    page.locator("#layer").fill("3")
    compare(page, "a bank")
    assert page.locator("#layer-name").inner_text() == "2"
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#status:has-text('tagger')")
    assert page.locator("#layer-name").inner_text() == "2: last"


def test_the_tokens_stand_under_the_words(open_page):
    page = open_page()
    compare(page, "embeddings cafe\u0301")
    shown = "it => getComputedStyle(it, '::after').content"
    assert [page.locator(".word").nth(n).evaluate(shown) for n in range(2)] == ['"em ##bed ##ding ##s"', '"cafe"']


def test_hovering_compares_with_another_word_until_the_pointer_leaves(open_page):
    page = open_page()
    before = page.locator("#chosen").inner_text()
    assert "“bank” (sentence 1, " in before
    word(page, "river").hover()
    assert "“river” (sentence 1, " in page.locator("#chosen").inner_text()
    page.locator("h1").hover()
    assert page.locator("#chosen").inner_text() == before
    word(page, "river").click()
    page.locator("h1").hover()
    assert "“river” (sentence 1, " in page.locator("#chosen").inner_text()


def test_sentences_are_shown_as_they_are(open_page):
    page = open_page()
    sentences = ["  two  spaces ", "🙂 caf\u00e9, e\u0301 🏳️\u200d🌈!", "שלום עולם"]
    compare(page, *sentences)
    assert text_of(page, "#words .text") == sentences
    assert text_of(page, "#matrix tbody bdi") == sentences


def test_another_model_may_be_chosen(open_page):
    page = open_page()
    assert page.locator("#model option").all_inner_texts() == ["all-MiniLM-L6-v2", "tagger"]
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#status:has-text('4 layers, tagger')")


def test_sentences_that_are_too_long_are_told(open_page):
    page = open_page()
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#status:has-text('tagger')")
    compare(page, "a", "a " * 70)
    assert "Too long: 2. The model reads 64 tokens" in page.locator("#status").inner_text()
