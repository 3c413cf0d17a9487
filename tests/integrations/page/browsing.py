"""A page in a browser that notes all that should not happen on it, and what tests do on it."""

PATIENCE_MS = 300_000
DESKTOP = {"width": 1100, "height": 900}
PHONE = {"width": 390, "height": 844}


class Opened:
    """A page in a context of its own.

    Attributes:
        page: Playwright's.
        wrong: errors of scripts, lines of the console, dialogs, and requests to elsewhere.
    """

    def __init__(self, browser, url, meant, settings):
        """Open an empty page.

        Args:
            browser: Playwright's.
            url: of the gateway, which alone is asked.
            meant: parts of lines of the console that are meant: a browser notes each answer of 400 and more there.
            settings: of the context.
        """
        self._context = browser.new_context(**{"viewport": DESKTOP, "color_scheme": "light", **settings})
        self.page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.wrong = wrong = []
        self.page.on("pageerror", lambda error: wrong.append(str(error)))
        self.page.on(
            "console", lambda line: None if any(part in line.text for part in meant) else wrong.append(line.text)
        )
        self.page.on("dialog", lambda dialog: (wrong.append("a dialog"), dialog.dismiss()))
        self.page.on("request", lambda it: None if it.url.startswith((f"{url}/", "data:")) else wrong.append(it.url))
        self.page.on("framenavigated", lambda frame: wrong.append(frame.url) if frame.url != f"{url}/" else None)

    def close(self):
        self._context.close()


def compare(page, *sentences):
    """Write sentences and have them compared; returns when they are, or an error is told."""
    page.locator("#sentences").fill("\n".join(sentences))
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("#status:not(:has-text('Comparing'))")


def text_of(page, selector):
    """The text of each element, as it is, white space too."""
    return page.evaluate("selector => [...document.querySelectorAll(selector)].map((it) => it.textContent)", selector)


def word(page, text, occurrence=1):
    """The element of a word."""
    return page.locator(f".word[aria-label^='{text},']").nth(occurrence - 1)


def drag(page, start, end):
    """Drag the pointer from the first letter of a word to the last of another."""
    page.mouse.move(*_inside(start, 0.02))
    page.mouse.down()
    page.mouse.move(*_inside(end, 0.98), steps=5)
    page.mouse.up()


def _inside(element, part):
    box = element.evaluate(
        "it => { const text = document.createRange(); text.selectNodeContents(it);"
        " return text.getBoundingClientRect().toJSON(); }"
    )
    return box["x"] + part * box["width"], box["y"] + box["height"] / 2


def asked_of(page, path, act):
    """What the page asks of a path of the gateway while `act` is done: the body as JSON, and the answer."""
    with page.expect_response(lambda answer: answer.url.endswith(path)) as found:
        act()
    return found.value.request.post_data_json, found.value.json()
