"""What docs/tasks.md and docs/passages.md show runs as it stands, and prints what the pages say."""

import csv
import json
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from examples.tasks.templates import entities, questions
from tests.conftest import write_tiny_checkpoint
from tests.docs.test_fit import VERSION
from tests.docs.test_words_in_context import same
from tests.export.checkpoints import change_weights
from tests.server.running import running

from polyseme.artifact import Precision
from polyseme.cli.main import main
from polyseme.export import ExportOptions, export_model

ROOT = Path(__file__).parents[2]
TASKS = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
PASSAGES = (ROOT / "docs/passages.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```(sh|python)\n(.*?)```\n\n```text\n(.*?)```", TASKS + PASSAGES, re.DOTALL)
COMMANDS = [(command, shown) for language, command, shown in SHOWN if language == "sh"]
# On a thousand texts, which test_classification runs on eighty; with heads, which are fitted or tuned first.
APART = ("classification.py", "templates.py", "entities.py", "answers.py")


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


def run(server, command):
    program, *arguments = shlex.split(command.replace("localhost:50051", server.target) if server else command)
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=300, cwd=ROOT
    ).stdout


def test_every_block_shows_what_it_prints():
    assert len(SHOWN) == len(re.findall(r"```(?:sh|python)\n", TASKS + PASSAGES))


@pytest.mark.parametrize(
    ("command", "shown"), [each for each in COMMANDS if not any(name in each[0] for name in APART)]
)
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


def test_entities(minilm_artifact, tmp_path, monkeypatch, capsys):
    """The page's commands, from the made-up sentences to the figures of a served head."""
    (command, fitted), (ask, asked) = [each for each in COMMANDS if "entities" in each[0]]
    make, fit = command.strip().splitlines()
    (tmp_path / "models").mkdir()
    (tmp_path / "models/all-MiniLM-L6-v2").symlink_to(minilm_artifact)
    monkeypatch.chdir(tmp_path)
    made, target = make.split(" > ")
    Path(target).write_text(run(None, made), encoding="utf-8")
    assert main(shlex.split(fit)[1:]) == 0
    same(VERSION.sub("@", capsys.readouterr().out), VERSION.sub("@", fitted))
    with running("models/entities") as server:
        same(run(server, ask), asked)


def test_answers(tmp_path):
    """The program, by a tiny model that was never trained; the page's figures are of one that was."""
    words = {"architectures": ["BertForQuestionAnswering"], "max_position_embeddings": 512}
    checkpoint = write_tiny_checkpoint(tmp_path / "tiny", **words)
    draw = np.random.default_rng(3)
    head = {
        "qa_outputs.weight": draw.normal(size=(2, 32)).astype(np.float32),
        "qa_outputs.bias": np.zeros(2, np.float32),
    }
    change_weights(checkpoint, lambda weights: weights.update(head))
    export_model(str(checkpoint), tmp_path / "answers", ExportOptions(precisions=(Precision.FP32,), name="answers"))
    with running(tmp_path / "answers") as server:
        printed = run(server, "python examples/tasks/answers.py --target localhost:50051")
        one = run(server, 'python examples/tasks/answers.py "Who left?" "Ann left." --target localhost:50051')
    asked = questions("test")
    assert printed.startswith(f"answers: {len(asked)} questions from templates that the head has not seen\n")
    right, first = map(float, re.findall(r"(\d\.\d+)(?:;|$)", printed.splitlines()[-1]))
    assert 0 <= right < 0.5
    assert first == round(sum(row["start"] == 0 for row in asked) / len(asked), 2)
    assert re.fullmatch(r"\d\.\d\d [Ann left.]+\n", one)


@pytest.mark.parametrize("kind", ["entities", "questions"])
def test_made_up_texts_are_the_same_each_time_and_none_is_of_both_parts(kind):
    parts = [
        [json.loads(line) for line in run(None, f"python examples/tasks/templates.py {kind} {part}").splitlines()]
        for part in ("train", "test")
    ]
    make = {"entities": entities, "questions": questions}[kind]
    assert parts == [make("train"), make("test")]
    named = [
        {row["text"][span["start"] : span["end"]] for row in part for span in row["entities"]}
        if kind == "entities"
        else {row["answer"] for row in part}
        for part in parts
    ]
    assert not named[0] & named[1]
    texts = [{row["text" if kind == "entities" else "context"] for row in part} for part in parts]
    assert not texts[0] & texts[1]
    if kind == "questions":
        assert all(row["context"][row["start"] :].startswith(row["answer"]) for part in parts for row in part)
    else:
        assert [len(part) for part in texts] == [240, 80], "no text is twice in a part"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classification.py", "--label", "king"], "has no column 'king'"),
        (["summary.py", "none.txt"], "No such file"),
        (["similarity.py", "--target", "127.0.0.1:1"], "127.0.0.1:1: "),
        (["alignment.py", "--target", "127.0.0.1:1"], "127.0.0.1:1: "),
        (["entities.py", "--target", "127.0.0.1:1"], "127.0.0.1:1: "),
        (["answers.py", "--target", "127.0.0.1:1"], "127.0.0.1:1: "),
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
