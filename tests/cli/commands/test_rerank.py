import json

import numpy as np
import pytest
from tests.data.golden.make_heads import TEXTS

from polyseme.client import Client

MODEL = ("--model", "cross-identity")


@pytest.fixture
def ranked(server_of_heads):
    with Client(server_of_heads.target, model="cross-identity", timeout=300) as client:
        return client.rerank(TEXTS[0], TEXTS[:3])


def entries(out):
    return [json.loads(line) for line in out.splitlines()]


def test_the_best_comes_first(polyseme, ranked):
    code, out, err = polyseme("rerank", TEXTS[0], *TEXTS[:3], *MODEL)
    assert (code, err) == (0, "")
    found = entries(out)
    assert [(entry["row"], entry["text"]) for entry in found] == [(one.index, one.text) for one in ranked]
    np.testing.assert_allclose([entry["score"] for entry in found], [one.score for one in ranked], atol=1e-5)
    assert [entry["tokens"] for entry in found] == [one.info.tokens for one in ranked]


def test_columns_follow_their_text(polyseme, ranked, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text, "id": f"n{row}"}) + "\n" for row, text in enumerate(TEXTS[:3])))
    _, out, _ = polyseme("rerank", TEXTS[0], "--input", str(path), "--keep", "id", "-k", "2", *MODEL)
    assert [entry["id"] for entry in entries(out)] == [f"n{one.index}" for one in ranked[:2]]


def test_a_terminal_has_a_table(on_terminal, ranked):
    code, out, _ = on_terminal("rerank", TEXTS[0], *TEXTS[:3], "-k", "9", *MODEL)
    assert code == 0
    places = [out.index(f"{one.score:.4f}") for one in ranked]
    assert places == sorted(places)
    assert "row: number of the text, from 0" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a", "b", "--model", "tiny"), 1, "tiny has no head"),
        (("", "b", *MODEL), 1, "query"),
        (("a", "b", "--input", "c", *MODEL), 2, "not both"),
    ],
)
def test_what_is_wrong_is_one_line(polyseme, arguments, code, words):
    found, out, err = polyseme("rerank", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert words in err
