"""What docs/tasks.md and docs/passages.md show runs as it stands, and prints what the pages say."""

import csv
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from tests.docs.test_words_in_context import same
from tests.server.running import running

ROOT = Path(__file__).parents[2]
TASKS = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
PASSAGES = (ROOT / "docs/passages.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```(sh|python)\n(.*?)```\n\n```text\n(.*?)```", TASKS + PASSAGES, re.DOTALL)
COMMANDS = [(command, shown) for language, command, shown in SHOWN if language == "sh"]
SLOW = "classification.py"  # on a thousand texts; test_classification runs it on eighty


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


def run(server, command):
    program, *arguments = shlex.split(command.replace("localhost:50051", server.target))
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=300, cwd=ROOT
    ).stdout


def test_every_block_shows_what_it_prints():
    assert len(SHOWN) == len(re.findall(r"```(?:sh|python)\n", TASKS + PASSAGES))


@pytest.mark.parametrize(("command", "shown"), [each for each in COMMANDS if SLOW not in each[0]])
def test_a_task_prints_what_the_page_shows(server, command, shown):
    same(run(server, command), shown)


def test_the_programs_of_passages_print_what_the_page_shows(server):
    names = {}
    for program, shown in re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PASSAGES, re.DOTALL):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(program.replace("localhost:50051", server.target), names)
        same(printed.getvalue(), shown)


def test_classification(server):
    printed = run(
        server,
        "python examples/tasks/classification.py examples/data/opinions.tsv --label opinion --target localhost:50051",
    )
    assert "80 texts, 2 classes" in printed
    accuracies = [float(figure) for figure in re.findall(r"(\d\.\d+) ±", printed)]
    assert len(accuracies) == 8
    assert max(accuracies) > 0.6
    counts = [int(count) for line in printed.splitlines()[-2:] for count in line.split()[1:]]
    assert sum(counts) == 80
    assert counts[0] + counts[3] == round(80 * max(accuracies))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classification.py", "--label", "king"], "has no column 'king'"),
        (["summary.py", "none.txt"], "No such file"),
        (["similarity.py", "--target", "127.0.0.1:1"], "127.0.0.1:1: "),
        (["alignment.py", "--target", "127.0.0.1:1"], "127.0.0.1:1: "),
    ],
)
def test_what_fails_is_one_line(arguments, said):
    command = [sys.executable, str(ROOT / "examples/tasks" / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert said in done.stderr


def test_pairs_of_the_translations_are_words_of_both():
    with (ROOT / "examples/data/translations.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 24
    for row in rows:
        pairs = [tuple(map(int, pair.split("-"))) for pair in row["alignment"].split()]
        assert len(set(pairs)) == len(pairs) >= 5
        assert all(a < len(row["english"].split()) and b < len(row["other"].split()) for a, b in pairs)
