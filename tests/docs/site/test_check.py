import sys

import pytest
from docs.site import check

GOOD = """
<link rel="stylesheet" href="style.css"><script src="../script.js?v=1"></script><h1 id="top">
<a href="#top"></a><a href="b.html#part"></a><a href="https://example.org/"></a><a href="mailto:a@example.org"></a>
"""


@pytest.fixture
def site(tmp_path):
    pages = tmp_path / "pages"
    pages.mkdir()
    (tmp_path / "script.js").touch()
    (pages / "style.css").write_text("a { background: url(data:image/png;base64,AA) }")
    (pages / "b.html").write_text("<p id='part'>")
    (pages / "a.html").write_text(GOOD)
    return tmp_path


def test_a_good_site_has_no_faults(site):
    assert check.faults(site) == []


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        ('<a href="c.html">', "c.html leads nowhere"),
        ('<a href="b.html#other">', "b.html#other names no part of its page"),
        ('<a href="#other">', "#other names no part of its page"),
        ('<img src="c.png">', "c.png leads nowhere"),
        ('<a href="../pages">', "../pages leads nowhere"),
        ('<script src="https://example.org/a.js">', "loads https://example.org/a.js"),
        ('<link href="//example.org/a.css">', "loads //example.org/a.css"),
        ('<img src="http://example.org/a.png">', "loads http://example.org/a.png"),
    ],
)
def test_a_fault_is_named_with_its_page(site, tag, fault):
    (site / "pages/a.html").write_text(GOOD + tag)
    assert check.faults(site) == [f"pages/a.html: {fault}"]


@pytest.mark.parametrize("rule", ["@import 'https://example.org/a'", "a { b: url('https://example.org/a') }"])
def test_a_style_loads_nothing_from_elsewhere(site, rule):
    (site / "pages/style.css").write_text(rule)
    assert check.faults(site) == ["pages/style.css: loads https://example.org/a"]


@pytest.mark.parametrize(("more", "status"), [("", 0), ('<a href="c.html">', 1)])
def test_a_fault_is_the_exit_status(site, monkeypatch, capsys, more, status):
    (site / "pages/a.html").write_text(GOOD + more)
    monkeypatch.setattr(sys, "argv", ["check", str(site)])
    assert check.main() == status
    assert f"2 pages, {status} faults" in capsys.readouterr().out
