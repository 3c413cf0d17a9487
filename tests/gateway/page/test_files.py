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


@pytest.fixture(scope="module")
def scripts(gateway):
    return {path: gateway.ask(path).body.decode() for path in FILES if path.endswith(".js")}


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
    assert page.inline == []


def test_every_file_is_asked_for_and_every_file_asked_for_is_there(scripts):
    imported = {
        name for script in scripts.values() for name in re.findall(r'^import .* from "\./([^"]+)";$', script, re.M)
    }
    assert {"/", "/page/page.css", "/page/page.js", *(f"/page/{name}" for name in imported)} == set(FILES)


def test_every_field_has_a_label(page):
    assert {"sentences", "model", "key", "layer", "head"} == page.labelled
    assert page.labelled <= page.ids


def test_the_scripts_set_text_alone_and_ask_this_gateway_alone(gateway, scripts, page):
    for script in scripts.values():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|https?:", script
        )
        assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= page.ids
    asked = {path for script in scripts.values() for path in re.findall(r'\bask\("([^"]+)"', script)}
    assert asked == {"page/words", "page/spans", "page/entities"}
    assert [gateway.ask(f"/{path}", {}).status for path in asked] == [400] * 3
    assert sum(script.count("fetch(") for script in scripts.values()) == 1


def test_the_style_loads_nothing(gateway):
    assert not re.search(r"url\(|@import|https?:", gateway.ask("/page/page.css").body.decode())
