import json

import pytest
from tests.data.golden.make_heads import LONG, TEXTS

from polyseme.client import Client

MODEL = ("--model", "bert-question_answering")
HARD = "\U0001f642 " + TEXTS[1]
QUESTION = "who went home?"


@pytest.fixture
def client(server_of_heads):
    with Client(server_of_heads.target, model=MODEL[1], timeout=300) as opened:
        yield opened


def entries(out):
    return [json.loads(line) for line in out.splitlines()]


def test_each_text_is_a_line_with_its_answers(polyseme, client):
    code, out, err = polyseme("answer", QUESTION, *TEXTS, "--top-k", "3", *MODEL)
    assert (code, err) == (0, "")
    found, want = entries(out), client.answer([QUESTION] * len(TEXTS), TEXTS, top_k=3)
    assert [entry["text"] for entry in found] == TEXTS
    for entry, one in zip(found, want, strict=True):
        named = [(a["text"], a["start"], a["end"], a["tokens"]) for a in entry["answers"]]
        assert named == [(a.text, a.start, a.end, list(a.tokens)) for a in one.answers]
        assert [a["score"] for a in entry["answers"]] == pytest.approx([a.score for a in one.answers], abs=1e-5)
        assert entry["none_score"] == pytest.approx(one.none_score, abs=1e-5)
    assert [len(entry["answers"]) for entry in found] == [3, 3, 3, 0]


def test_options_reach_the_server(polyseme, client):
    options = ["--max-answer-tokens", "2", "--offset-unit", "utf8_byte", "--may-have-none", *MODEL]
    _, out, _ = polyseme("answer", QUESTION, HARD, "-k", "3", *options)
    want = client.answer(
        QUESTION, HARD, top_k=3, max_answer_tokens=2, offset_unit="utf8_byte", may_have_none=True
    ).answers
    assert [(a["start"], a["end"]) for a in entries(out)[0]["answers"]] == [(a.start, a.end) for a in want]
    _, out, _ = polyseme("answer", QUESTION, LONG, "--long-texts", "windows", *MODEL)
    assert entries(out)[0]["windows"] > 1


@pytest.mark.parametrize("unit", ["code_point", "utf16_code_unit"])
def test_a_terminal_has_a_table_with_answers_in_context(on_terminal, client, unit):
    code, out, _ = on_terminal("answer", QUESTION, HARD, "", "--offset-unit", unit, *MODEL)
    best = client.answer(QUESTION, HARD, offset_unit=unit).best
    assert code == 0
    assert f"[{best.text}]" in out
    assert f"{best.start}-{best.end}" in out
    assert "(none)" in out
    _, out, _ = on_terminal("answer", QUESTION, *TEXTS[:3] * 20, *MODEL)
    assert "10 more answers not shown: --json; " in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a", "b", "--model", "tiny"), 1, "tiny has no head that answers questions"),
        (("who", LONG, *MODEL), 1, "questions[0]"),
        (("", "b", *MODEL), 1, "question"),
    ],
)
def test_what_is_wrong_is_one_line(polyseme, arguments, code, words):
    found, out, err = polyseme("answer", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert words in err
