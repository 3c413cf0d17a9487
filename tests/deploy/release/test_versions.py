import tomllib
from pathlib import Path

import pytest
from deploy.release.versions import PLACES, Place, agrees, heading, heading_fits, said

ROOT = Path(__file__).parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.file}-{place.pattern}")
def test_every_place_says_the_version(place):
    text = (ROOT / place.file).read_text(encoding="utf-8")
    assert agrees(place, said(place, text), VERSION)
    planted = text.replace(VERSION.rpartition(".")[0], "9.9")
    assert not agrees(place, said(place, planted), VERSION)


def test_a_place_that_says_nothing_does_not_agree():
    place = Place("a", r"version (\S+)")
    assert said(place, "none") == []
    assert not agrees(place, [], "1.2.3")
    assert said(place, "version 1.2.3\nversion 1.2.3") == ["1.2.3"]
    assert not agrees(place, ["1.2.3", "1.2.4"], "1.2.3")


@pytest.mark.parametrize(
    ("first", "tag", "fits"),
    [
        ("Unreleased", "", True),
        ("1.2.3", "", True),
        ("1.2.3", "v1.2.3", True),
        ("Unreleased", "v1.2.3", False),
        ("1.2.2", "", False),
        ("1.2.3", "v1.2.2", False),
        ("", "", False),
    ],
)
def test_a_tagged_commit_has_its_heading(first, tag, fits):
    assert heading_fits(first, "1.2.3", tag) is fits


def test_the_first_heading_counts():
    assert heading("# Changelog\n\n## 1.2.3 (2026-01-02)\n\n## 1.2.2\n") == "1.2.3"
    assert heading("# Changelog\n") == ""
