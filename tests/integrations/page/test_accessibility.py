"""The page by keyboard, by screen reader, in the dark and on a phone. `make test-page`."""

import pytest
from tests.integrations.page.browsing import PHONE, compare, drag, word

pytestmark = pytest.mark.page

SCHEMES = ("light", "dark")


def violations(page):
    """What axe-core finds, with the elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="make test-page brings it")
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_on_words_spans_and_entities(open_page, scheme):
    page = open_page(color_scheme=scheme)
    assert violations(page) == []
    drag(page, word(page, "sat"), word(page, "river"))
    page.wait_for_selector("#chosen:has-text('To whole sentences')")
    assert violations(page) == []
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#found mark")
    assert violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_on_an_error(open_page, scheme):
    page = open_page(color_scheme=scheme, meant=["status of 400"])
    compare(page, "x" * 1001)
    assert page.locator("#status.error").count() == 1
    assert violations(page) == []


def test_the_keyboard_reaches_all_of_it(open_page):
    page = open_page()
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#found mark")
    page.locator("#sentences").focus()
    focused = []
    for _ in range(6):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("(it => it.id || it.className || it.tagName)(document.activeElement)"))
    assert focused == ["model", "BUTTON", "layer", "word", "head", "scroll"]


def test_left_and_right_go_from_word_to_word(open_page):
    page = open_page()
    page.locator(".word[aria-pressed='true']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "of, cosine 1.00"
    assert page.locator(".word[aria-pressed='true']").count() == page.locator(".word[tabindex]").count() == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "the, cosine 1.00"


def test_a_screen_reader_is_told_what_others_see(open_page):
    page = open_page()
    word(page, "river").click()
    told = page.locator("main").aria_snapshot()
    for line in (
        '- textbox "Sentences, one a line":',
        '- button "Compare"',
        '- region "Words":',
        '- slider "Layer": "7"',
        '- button "river, cosine 1.00" [pressed]: river',
        '- status: "Closest to “river” (sentence 1, 1 token): bank (1) 0.6',
        '- region "Similarity of the sentences":',
        '- rowheader "1. We sat on the bank of the river."',
    ):
        assert line.removeprefix("- ") in told, told
    assert page.locator("#layer").get_attribute("aria-valuetext") == "6: last"
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#found mark")
    assert '- region "Entities":' in page.locator("main").aria_snapshot()


@pytest.mark.parametrize(("motion", "seconds"), [("reduce", "0s"), ("no-preference", "0.15s")])
def test_nothing_moves_for_those_who_want_less_motion(open_page, motion, seconds):
    page = open_page(reduced_motion=motion)
    assert word(page, "bank").evaluate("it => getComputedStyle(it).transitionDuration") == seconds


@pytest.mark.parametrize("width", [320, PHONE["width"]])
def test_the_page_fits_a_phone(open_page, width):
    page = open_page(viewport={**PHONE, "width": width}, has_touch=True)
    page.locator("#model").select_option("tagger")
    page.wait_for_selector("#found mark")
    compare(
        page, *"abcdefgh", "We sat on the bank of the river.", "שלום עולם", "a" * 300, "!" * 300 + " bank" + "?" * 300
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_finger_chooses_a_word(open_page):
    page = open_page(viewport=PHONE, has_touch=True)
    word(page, "river").tap()
    assert "Closest to “river”" in page.locator("#chosen").inner_text()
