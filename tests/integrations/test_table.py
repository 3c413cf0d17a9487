"""The plugin that writes bench/results/integrations.md, in runs of pytest of its own."""

import os
import subprocess
import sys
from importlib import metadata

import pytest
from tests.integrations.table import RESULT, ROOT, renewed

TESTS = """
import pytest

pytestmark = pytest.mark.library("numpy", pinned_in="a.txt")

def test_may_fail(): assert {holds}

def test_passes(): pass

@pytest.mark.library("other", version=lambda: "1.2", pinned_in="b.txt")
def test_of_another(): pytest.skip("no such thing")
"""
BEFORE = [
    ("numpy", "0.1", "3.9.1", "a.txt", "tests/old.py", "1 passed", "2020-01-01"),
    ("numpy", "0.1", "3.9.1", "oldest.txt", "tests/old.py", "1 passed", "2020-01-01"),
]


@pytest.fixture
def run(tmp_path):
    """Runs tests of two libraries with the plugin; gives the version, the tests and the outcome of each row."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = library")
    page = tmp_path / "table.md"
    page.write_text(renewed("", BEFORE))

    def rows(*arguments, holds=True):
        (tmp_path / "test_it.py").write_text(TESTS.format(holds=holds))
        plugin = ("-p", "tests.integrations.table", "--library-table", page)
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", *plugin, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, timeout=300, stderr=subprocess.PIPE, text=True)
        assert done.stderr == ""
        lines = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")][2:]
        return {(cells[0].strip("| "), cells[3]): (cells[1], *cells[4:6]) for cells in lines}

    return rows


OLDEST = {("numpy", "oldest.txt"): ("0.1", "tests/old.py", "1 passed")}


def test_a_run_renews_the_rows_of_its_libraries_alone(run):
    assert run() == OLDEST | {
        ("numpy", "a.txt"): (metadata.version("numpy"), "test_it.py", "2 passed"),
        ("other", "b.txt"): ("1.2", "test_it.py", "1 skipped"),
    }


def test_what_fails_is_told(run):
    assert run(holds=False)["numpy", "a.txt"] == (metadata.version("numpy"), "test_it.py", "1 failed, 1 passed")


@pytest.mark.parametrize("arguments", [("-k", "passes or another"), ("-x",)])
def test_a_library_of_which_a_test_was_left_out_keeps_its_row(run, arguments):
    assert run(*arguments, holds=False)["numpy", "a.txt"] == ("0.1", "tests/old.py", "1 passed")


def test_the_page_is_as_the_plugin_writes_it():
    page = RESULT.read_text(encoding="utf-8")
    assert renewed(page, []) == page
