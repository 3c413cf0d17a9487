"""The page in Debian's Chromium, by Playwright: `make test-page`. POLYSEME_SCREENSHOTS=FOLDER keeps pictures of it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.gateway.running import gateway_to
from tests.server.running import running

playwright = pytest.importorskip("playwright.sync_api", reason="make test-page brings it")
CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.page, pytest.mark.skipif(not CHROMIUM, reason="needs Debian's chromium")]

SIZES = {"desktop": ((1100, 900), "light"), "phone": ((390, 844), "light"), "dark": ((1100, 900), "dark")}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "&lt;b&gt; {{1}} \u202e\u0000 \U0001f469\u200d\U0001f469",
]


@pytest.fixture(scope="module")
def gateway(minilm_artifact):
    with running(minilm_artifact, runners=1) as server, gateway_to(server.target) as it:
        yield it


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        it = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield it
        it.close()


def is_wrong(line):
    """An answer of 400 is an error of the console too, and is meant."""
    return line.type in ("error", "warning") and "status of 400" not in line.text


@pytest.fixture
def opened(browser, gateway):
    """Opens the page; in the end no script has failed, no policy was broken, and nothing came from elsewhere."""
    contexts, wrong = [], []

    def open_(size=(1100, 900), scheme="light"):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if is_wrong(line) else None)
        page.on("dialog", lambda dialog: (wrong.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda it: None if it.url.startswith((gateway.url, "data:")) else wrong.append(it.url))
        page.goto(f"{gateway.url}/")
        page.wait_for_selector("#result:not([hidden])")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def test_a_word_is_coloured_by_its_context_layer_by_layer(opened):
    page = opened()
    banks = page.locator(".word[aria-label^='bank,']")
    assert banks.count() == 4
    page.locator("#layer").fill("0")
    assert page.locator("#layer-name").inner_text() == "static"
    assert [banks.nth(n).get_attribute("aria-label") for n in range(4)] == ["bank, cosine 1.00"] * 4
    page.locator("#layer").fill("7")
    assert page.locator("#layer-name").inner_text() == "6: last"
    assert banks.nth(1).get_attribute("aria-label") != "bank, cosine 1.00"


def test_hovering_compares_with_another_word_until_the_pointer_leaves(opened):
    page = opened()
    before = page.locator("#chosen").inner_text()
    assert "“bank” (1)" in before
    page.locator(".word[aria-label^='river,']").hover()
    assert "“river” (1)" in page.locator("#chosen").inner_text()
    page.locator("h1").hover()
    assert page.locator("#chosen").inner_text() == before


def test_the_keyboard_reaches_all_of_it(opened):
    page = opened()
    page.locator("#sentences").focus()
    focused = []
    for _ in range(5):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("(it => it.id || it.className || it.tagName)(document.activeElement)"))
    assert focused == ["key", "BUTTON", "layer", "word", "scroll"]
    page.locator(".word[aria-pressed='true']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "of, cosine 1.00"
    assert page.locator(".word[aria-pressed='true']").count() == 1


def test_hostile_sentences_stay_text(opened):
    page = opened()
    page.locator("#sentences").fill("\n".join(HOSTILE))
    page.get_by_role("button", name="Compare").click()
    page.locator("#words li:nth-child(3):last-child").wait_for()
    assert page.locator("#words img, #words script, #matrix img").count() == 0
    shown = [
        page.evaluate("n => [...document.querySelectorAll('#matrix tbody th')][n].textContent", n) for n in range(3)
    ]
    assert shown[0] == f"1. {HOSTILE[0]}"


def test_an_error_is_said_and_the_result_hidden(opened):
    page = opened()
    page.locator("#sentences").fill("x" * 1001)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#status.error")
    assert page.locator("#status").inner_text() == "sentences[0] has 1001 characters; limit 1000"
    assert page.locator("#result").is_hidden()


@pytest.mark.parametrize("name", SIZES)
def test_the_page_fits_its_window(opened, name):
    page = opened(*SIZES[name])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("POLYSEME_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"page-{name}.png"), full_page=True)


def test_the_first_sentences_are_told_to_nobody_else(opened):
    page = opened()
    stored = page.evaluate("JSON.stringify([Object.keys(localStorage), document.cookie])")
    assert json.loads(stored) == [[], ""]
