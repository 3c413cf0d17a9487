"""docs/reference is what the code says."""

import pytest
from docs.generate import REFERENCE, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name):
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name], "run `make docs`"


def test_there_are_no_other_pages():
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


def test_every_name_of_the_sdk_is_there():
    from polyseme import client

    assert [name for name in client.__all__ if f"# {name}\n" not in PAGES["sdk.md"]] == []
