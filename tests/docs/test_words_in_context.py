"""What docs/words-in-context.md shows runs as it stands, and prints what the page says; so does examples/bank.py."""

import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from tests.server.running import running

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/words-in-context.md").read_text(encoding="utf-8")
STEPS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+")


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


def same(printed, shown):
    """All but the decimals is equal, and these agree to their last place."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    for got, expected in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        places = min(len(figure.partition(".")[2]) for figure in (got, expected))
        # Rounding may fall otherwise on another processor: by one in the last place.
        assert float(got) == pytest.approx(float(expected), abs=1.01 * 10**-places)


def test_every_program_of_the_page_shows_what_it_prints():
    assert len(STEPS) == PAGE.count("```python") == PAGE.count("```text")


def test_the_programs_of_the_page_print_what_it_shows(server):
    names = {}
    for program, shown in STEPS:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(program.replace("localhost:50051", server.target), names)
        same(printed.getvalue(), shown)


def test_the_example_prints_what_the_page_shows(server):
    command = [sys.executable, str(ROOT / "examples/bank.py"), "--target", server.target]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    figures = [float(figure) for figure in re.findall(r"\d\.\d{4}", printed)]
    assert figures == pytest.approx(layer_figures() + robber_figures(), abs=0.00011)


def layer_figures():
    (_, shown), *_ = STEPS
    return [float(line.split()[-1]) for line in shown.splitlines()]


def robber_figures():
    _, (_, shown), *_ = STEPS
    return [float(figure) for figure in re.findall(r"\d\.\d{4}", shown)]
