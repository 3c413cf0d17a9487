"""The page while it waits, and when something is wrong. `make test-page`."""

from contextlib import ExitStack

import pytest
from tests.gateway.running import gateway_to
from tests.integrations.page.browsing import compare, text_of
from tests.server.running import running

pytestmark = pytest.mark.page

TOKEN = "canaryxyzzy"


def status(page):
    return page.locator("#status").inner_text()


def test_the_page_says_that_it_waits(open_page, server):
    page = open_page()
    with server.faults.held() as hold:
        page.get_by_role("button", name="Compare").click()
        hold.wait_for_a_batch()
        assert (status(page), page.locator("#result").get_attribute("aria-busy")) == ("Comparing …", "true")
    page.wait_for_selector("#status:has-text('27 words')")
    assert page.locator("#result").get_attribute("aria-busy") is None


def test_only_the_latest_sentences_are_shown(open_page, server):
    page = open_page()
    with server.faults.held() as hold:
        page.locator("#sentences").fill("one two three")
        page.get_by_role("button", name="Compare").click()
        hold.wait_for_a_batch()
        page.locator("#sentences").fill("four five")
        page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#status:has-text('2 words')")
    assert text_of(page, "#words .text") == ["four five"]


def test_a_server_that_is_down_is_told(open_page, tiny_artifact):
    with ExitStack() as stack:
        server = stack.enter_context(running(tiny_artifact, runners=1))
        with gateway_to(server.target) as gateway:
            page = open_page(gateway, meant=["status of 503"])
            stack.close()
            page.get_by_role("button", name="Compare").click()
            page.wait_for_selector("#status.error")
            assert status(page) == "No server is ready to answer; try again."
            assert page.locator("#result").is_hidden()


def test_a_gateway_that_is_down_is_told(open_page, server):
    with gateway_to(server.target) as gateway:
        page = open_page(gateway, meant=["ERR_CONNECTION_REFUSED"])
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#status.error")
    assert status(page) == "The gateway does not answer. Try again once it runs."
    assert page.locator("#result").is_hidden()


def test_a_key_is_asked_for_where_the_server_asks_for_one(open_page, tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text(f"{TOKEN}\n")
    with (
        running(tiny_artifact, runners=1, token_file=str(tmp_path / "tokens")) as server,
        gateway_to(server.target) as gateway,
    ):
        page = open_page(gateway, until="#key:focus", meant=["status of 401"])
        assert status(page) == "The server asks for a key."
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#status.error:has-text('The server refuses this key.')")
        page.locator("#key").fill(TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#status:has-text('tiny.')")
        assert (
            page.evaluate("JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])")
            == '[[],[],""]'
        )


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        ([" ", ""], "Write a sentence first."),
        (["a", "x" * 1001], "Sentence 2 has 1001 characters; limit 1000."),
        (["a"] * 13, "Sentences is an array of 13; an array of 1 to 12 strings."),
        (["a " * 200] * 2, "Sentences have 404 tokens; limit 256."),
    ],
)
def test_what_is_wrong_with_the_sentences_is_told_and_the_result_hidden(open_page, sentences, words):
    page = open_page(meant=["status of 400"])
    compare(page, *sentences)
    assert status(page) == words
    assert page.locator("#status.error").count() == 1
    assert page.locator("#result").is_hidden()
    compare(page, "a bank")
    assert (status(page), page.locator("#result").is_visible()) == ("2 words, 8 layers, all-MiniLM-L6-v2.", True)


def test_sentences_without_words_are_told(open_page):
    page = open_page()
    compare(page, "...")
    assert page.locator("#chosen").inner_text() == "There are no words in this text."
    compare(page, "a bank")
    assert "Closest to “bank”" in page.locator("#chosen").inner_text()
