"""The files of the page, as a browser gets them."""

import re
from html.parser import HTMLParser

import pytest

from polyseme.gateway.page.files import FILES


class Links(HTMLParser):
    """Collects what a page refers to, and what a policy without unsafe-inline forbids."""

    def __init__(self):
        super().__init__()
        self.found, self.inline, self.ids, self.labelled = [], [], set(), set()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.found += [given[name] for name in ("href", "src") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []
        self.ids |= {given["id"]} if "id" in given else set()
        self.labelled |= {given["for"]} if tag == "label" else set()


@pytest.fixture(scope="module")
def page(gateway):
    links = Links()
    links.feed(gateway.ask("/").body.decode())
    return links


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/page/page.css", "text/css"), ("/page/page.js", "text/javascript")]
)
def test_files_come_with_their_type_and_a_policy_that_lets_nothing_else_in(gateway, path, kind):
    answered = gateway.ask(path)
    assert (answered.status, answered.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
    policy = answered.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"unsafe|\*|http", policy)
    assert answered.headers["x-content-type-options"] == "nosniff"


def test_nothing_comes_from_elsewhere_and_nothing_is_inline(page):
    assert set(page.found) == {"data:,", "page/page.css", "page/page.js"}
    assert {f"/{link}" for link in page.found if not link.startswith("data:")} | {"/"} == set(FILES)
    assert page.inline == []


def test_every_field_has_a_label(page):
    assert {"sentences", "key", "layer"} <= page.labelled <= page.ids


def test_the_script_sets_text_alone_and_asks_this_gateway_alone(gateway, page):
    script = gateway.ask("/page/page.js").body.decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|https?:", script)
    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= page.ids
    assert re.findall(r'fetch\("([^"]+)"', script) == ["page/words"]


def test_the_style_loads_nothing(gateway):
    assert not re.search(r"url\(|@import|https?:", gateway.ask("/page/page.css").body.decode())
