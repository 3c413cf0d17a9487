import sys
from collections.abc import Iterator

import numpy as np
import pytest
from tests.client.fake_server import FakeServer, fake_server, vector_of

from polyseme.cli.main import main


@pytest.fixture
def server(monkeypatch) -> Iterator[FakeServer]:
    with fake_server() as fake:
        monkeypatch.setenv("POLYSEME_TARGET", fake.target)
        yield fake


def _cosine(a: str, b: str) -> float:
    return float(vector_of(a) @ vector_of(b))


def test_similarity_of_two_texts_is_one_number(server, capsys):
    assert main(["similarity", "a", "b"]) == 0
    assert capsys.readouterr().out == f"{_cosine('a', 'b'):.4f}\n"


def test_similarity_passes_the_metric_on(server, capsys):
    assert main(["similarity", "a", "b", "--metric", "euclidean"]) == 0
    assert float(capsys.readouterr().out) == pytest.approx(np.linalg.norm(vector_of("a") - vector_of("b")), abs=1e-4)


def test_similarity_compares_as_the_model_does(server, capsys):
    server.faults.similarity = 3
    assert main(["similarity", "a", "b", "--metric", "model"]) == 0
    assert float(capsys.readouterr().out) == pytest.approx(np.linalg.norm(vector_of("a") - vector_of("b")), abs=1e-4)
    assert main(["similarity", "a", "b", "c", "--metric", "model"]) == 0
    assert "| euclidean |" in capsys.readouterr().out
    assert main(["similarity", "a", "b", "--query", "c", "--metric", "model"]) == 0
    assert "| euclidean |" in capsys.readouterr().out


def test_similarity_takes_the_manhattan_distance(server, capsys):
    assert main(["similarity", "a", "b", "--metric", "manhattan"]) == 0
    assert server.faults.requests[-1].metric == 4


def test_similarity_by_the_model_needs_a_server_that_says_it(server, capsys):
    server.faults.similarity = 0
    assert main(["similarity", "a", "b", "--metric", "model"]) == 1
    error = f"{server.target}: the server does not announce Model.similarity; it is older than the SDK\n"
    assert capsys.readouterr().err == f"polyseme: error: {error}"


def test_similarity_of_more_texts_is_a_matrix(server, capsys):
    assert main(["similarity", "a", "b", "[red]c"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if "[red]c" in line]
    assert f"{_cosine('[red]c', 'b'):.4f}" in row
    assert "\x1b" not in "".join(lines)


def test_similarity_keeps_the_rows_of_a_wide_matrix_whole(server, capsys):
    texts = [f"text {number}" for number in range(30)]
    assert main(["similarity", *texts]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "text " in line]
    assert len(rows) == 30
    assert all("…" not in row for row in rows)


def test_similarity_ranks_for_a_query(server, capsys, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("a\nb\nc\nd\n")
    assert main(["similarity", "--query", "c", "--input", str(path), "--top-k", "2"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "0." in line]
    scores = sorted((_cosine("c", text) for text in "abcd"), reverse=True)[:2]
    assert len(rows) == 2
    assert all(f"{score:.4f}" in row for score, row in zip(scores, rows, strict=True))
    assert "c" in rows[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["a"], "got 1 text; two are needed, or --query"), (["a", "b", "-k", "1"], "--top-k needs --query")],
)
def test_similarity_refuses_a_wrong_command_line(arguments, message, capsys):
    assert main(["similarity", *arguments]) == 2
    assert capsys.readouterr().err == f"polyseme: error: {message}\n"


def test_similarity_names_what_to_install(server, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["similarity", "a", "b", "c"]) == 2
    assert capsys.readouterr().err == "polyseme similarity needs rich: pip install 'polyseme[cli]'\n"
