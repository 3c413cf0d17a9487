"""Parts of sentences that the reader selects. `make test-page`."""

import pytest
from tests.integrations.page.browsing import asked_of, compare, drag, text_of, word

pytestmark = pytest.mark.page

# An emoji of seven units and one of four, an accent of its own, and Arabic with a vowel sign.
SENTENCES = ["🏳️\u200d🌈 We sat 👩🏽\u200d🚒 on the cafe\u0301 bank.", "The bank raised كِتاب rates."]
FIREFIGHTER = "👩🏽\u200d🚒"
HALF_A_DIGIT = 0.00501  # the page shows two


def selected(page):
    return page.evaluate("getSelection().toString()")


def closeness(page):
    return [float(cosine) for cosine in text_of(page, "#words .closeness")]


def part(body):
    """The part of the sentence that was asked for, by its offsets in UTF-16."""
    coded = body["sentences"][body["sentence"]].encode("utf-16-le")
    return coded[2 * body["start"] : 2 * body["end"]].decode("utf-16-le")


def test_a_part_selected_with_the_mouse_is_compared_with_words_and_sentences(open_page):
    page = open_page()
    compare(page, *SENTENCES)
    asked, answer = asked_of(page, "/page/spans", lambda: drag(page, word(page, "sat"), word(page, "bank")))
    assert part(asked) == selected(page) == f"sat {FIREFIGHTER} on the cafe\u0301 bank"
    page.wait_for_selector("#chosen:has-text('To whole sentences')")
    assert f"Closest to “{part(asked)}” (sentence 1, " in page.locator("#chosen").inner_text()
    assert closeness(page) == pytest.approx(answer["sentences"][-1], abs=HALF_A_DIGIT)
    labels = page.evaluate("[...document.querySelectorAll('.word')].map((it) => it.getAttribute('aria-label'))")
    told = [float(label.rpartition(" ")[2]) for label in labels]
    assert told == pytest.approx(answer["words"][-1], abs=HALF_A_DIGIT)
    page.locator("#layer").fill("0")
    assert closeness(page) == pytest.approx(answer["sentences"][0], abs=HALF_A_DIGIT)


def test_keys_select_words_and_characters(open_page):
    page = open_page()
    compare(page, *SENTENCES)
    word(page, "bank").click()
    word(page, "bank").press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    steps = {
        "Shift+ArrowLeft": "the",
        "Alt+Shift+ArrowLeft": " the",
        "Control+Shift+ArrowLeft": "n the",
        "Shift+ArrowLeft ": "on the",
        "Alt+Shift+ArrowLeft ": " on the",
        "Alt+Shift+ArrowLeft  ": f"{FIREFIGHTER} on the",
        "Alt+Shift+ArrowRight": " on the",
        "Shift+ArrowLeft  ": f"sat {FIREFIGHTER} on the",
        "Shift+ArrowRight": f" {FIREFIGHTER} on the",
    }
    for key, want in steps.items():
        page.keyboard.press(key.strip())
        assert selected(page) == want
    asked, _ = asked_of(page, "/page/spans", lambda: page.keyboard.press("Shift+ArrowLeft"))
    assert part(asked) == f"sat {FIREFIGHTER} on the"
    page.wait_for_selector("#chosen:has-text('To whole sentences')")
    page.keyboard.press("Escape")
    assert "Closest to “the” (sentence 1, " in page.locator("#chosen").inner_text()
    assert (selected(page), text_of(page, "#words .closeness")) == ("", ["", ""])


def test_a_selection_ends_with_its_sentence(open_page):
    page = open_page()
    compare(page, *SENTENCES)
    word(page, "bank").click()
    page.keyboard.press("Shift+ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Alt+Shift+ArrowRight")
    assert selected(page) == "bank."
    word(page, "We").click()
    page.keyboard.press("Shift+ArrowLeft")
    for _ in range(3):
        page.keyboard.press("Alt+Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowLeft")
    assert selected(page) == "🏳️\u200d🌈 We"


@pytest.mark.parametrize("keys", ["ctrl+a", "two sentences"])
def test_a_selection_over_several_sentences_is_not_compared(open_page, keys):
    page = open_page()
    compare(page, *SENTENCES)
    if keys == "ctrl+a":
        word(page, "We").click()
        page.keyboard.press("Control+a")
    else:
        drag(page, word(page, "sat"), word(page, "raised"))
    page.wait_for_selector("#chosen:has-text('Select within one sentence.')")
    word(page, "We").click()
    assert "Closest to “We”" in page.locator("#chosen").inner_text()


def test_a_part_without_a_token_is_told(open_page):
    page = open_page(meant=["status of 400"])
    compare(page, "a \u200d\u200d b")
    page.evaluate(
        "(() => { const [one, other] = [...document.querySelectorAll('.word')];"
        " getSelection().setBaseAndExtent(one.firstChild, 1, other.firstChild, 0); })()"
    )
    page.wait_for_selector("#chosen.error:has-text('The span has no token that the model reads.')")
    word(page, "b").click()
    assert page.locator("#chosen.error").count() == 0


def test_a_word_under_a_selection_can_be_chosen_and_begin_another(open_page):
    page = open_page()
    drag(page, word(page, "sat"), word(page, "the"))
    page.wait_for_selector("#chosen:has-text('“sat on the”')")
    word(page, "on").click()
    assert "Closest to “on” (sentence 1, " in page.locator("#chosen").inner_text()
    drag(page, word(page, "on"), word(page, "bank"))
    page.wait_for_selector("#chosen:has-text('“on the bank”')")
    word(page, "river").hover()
    assert "Closest to “river”" in page.locator("#chosen").inner_text()
    page.locator("h1").hover()
    assert "Closest to “on the bank”" in page.locator("#chosen").inner_text()


def test_a_span_of_the_sentences_before_is_forgotten(open_page, server):
    page = open_page()
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/page/spans")):
        with server.faults.held() as hold:
            page.locator("#sentences").fill("four five")
            page.get_by_role("button", name="Compare").click()
            hold.wait_for_a_batch()
            with page.expect_request("**/page/spans"):
                drag(page, word(page, "sat"), word(page, "river"))
        page.wait_for_selector("#status:has-text('2 words')")
    assert "Closest to “four” (sentence 1, " in page.locator("#chosen").inner_text()
