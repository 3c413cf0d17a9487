from pathlib import Path

from docs.site.navigation import Section, navigation, toctree

ROOT = Path(__file__).parents[3]


def read():
    return navigation(*((ROOT / name).read_text(encoding="utf-8") for name in ("docs/README.md", "README.md")))


def test_sections_are_the_needs_of_the_index():
    captions = [section.caption for section in read()]
    assert captions == ["", "Learn", "Call", "Export", "Run", "Judge", "Look up", "Change it"]


def test_the_sidebar_has_every_page_of_docs():
    pages = {page for section in read() for page in section.pages}
    assert {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")} <= pages
    assert {"ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= pages
    assert all((ROOT / page).is_file() for page in pages)


def test_a_word_in_bold_begins_a_section():
    index = (
        "| a | b |\n|---|---|\n| **run** it | [one](one.md#part), [two](../two.md) |\n| more | [three](three.md) |\n"
    )
    assert navigation(index, "| change it | [four](four.md) |\n") == [
        Section("", ["docs/README.md"]),
        Section("Run", ["docs/one.md", "two.md", "docs/three.md"]),
        Section("Change it", ["four.md"]),
    ]


def test_a_page_stands_once_in_its_section():
    assert toctree(Section("Run", ["a.md", "b.md", "a.md"])).split("\n\n")[-1] == "/a.md\n/b.md\n```\n"
