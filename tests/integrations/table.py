"""A pytest plugin, `-p tests.integrations.table`: renews the row of each library that a run has tested.

A test names its library: `pytest.mark.library("haystack-ai")`. Where that is not in the environment of the tests, the
mark also has `version`, a function that gives its version, and `pinned_in`, the file that chose it. Rows of other
libraries stay as they are, and so does a row of which `-k` or `-x` left tests out.
"""

import datetime
import platform
import sys
from collections import Counter, defaultdict
from functools import partial
from importlib import metadata
from os.path import commonpath
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "bench/results/integrations.md"
COLUMNS = ("library", "version", "Python", "pinned in", "tests", "outcome", "date")
KEY = (0, 3)  # columns that say which row it is
PREFACE = """\
# Libraries and clients, and what was run with each

Written by the on-demand targets of the Makefile (`make test-integrations` and others): each renews the rows of the
libraries that it has run. Each test calls a real server.

"""


def pytest_addoption(parser):
    parser.addoption("--library-table", type=Path, default=RESULT, metavar="FILE", help="default: %(default)s")


def pytest_configure(config):
    config.pluginmanager.register(Recorder(config.getoption("--library-table")))


class Recorder:
    """Notes what becomes of each library's tests, and writes rows when all is done."""

    def __init__(self, path):
        self._path = path
        self._tests = defaultdict(list)
        self._left_out = set()
        self._outcomes = {}
        self._versions = {}

    def pytest_deselected(self, items):
        self._left_out |= {key for key, _ in map(_library, items)}

    def pytest_collection_finish(self, session):
        for item in session.items:
            key, version = _library(item)
            if key:
                self._tests[key].append(item.nodeid)
                self._versions[key] = version

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            self._outcomes[report.nodeid] = report.outcome

    def pytest_sessionfinish(self):
        done = [
            key
            for key, tests in self._tests.items()
            if key not in self._left_out and all(test in self._outcomes for test in tests)
        ]
        if done:
            before = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
            self._path.write_text(renewed(before, map(self._row, done)), encoding="utf-8")

    def _row(self, key):
        library, pinned_in = key
        files = {test.partition("::")[0] for test in self._tests[key]}
        counts = Counter(self._outcomes[test] for test in self._tests[key])
        outcome = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        return (library, self._versions[key](), platform.python_version(), pinned_in, commonpath(files), outcome, today)


def _library(item):
    """What says which row a test is of, and the function that gives the library's version; None, None: none is."""
    mark = item.get_closest_marker("library")
    if mark is None:
        return None, None
    (name,) = mark.args
    environment = Path(sys.prefix).name.removeprefix(".venv").removeprefix("-") or "default"
    version = mark.kwargs.get("version", partial(metadata.version, name))
    return (name, mark.kwargs.get("pinned_in", f"constraints/{environment}.txt")), version


def renewed(page, rows):
    """The page with these rows in the place of those that it has of the same library, pinned in the same file."""
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")][2:]
    table = {_key(cells): cells for cells in [tuple(map(str.strip, line)) for line in lines]}
    table |= {_key(row): row for row in rows}
    written = [COLUMNS, ["---"] * len(COLUMNS), *(table[key] for key in sorted(table))]
    return PREFACE + "".join(f"| {' | '.join(cells)} |\n" for cells in written)


def _key(cells):
    return tuple(cells[place] for place in KEY)
