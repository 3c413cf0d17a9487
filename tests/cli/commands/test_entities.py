import json
import re
from argparse import Namespace

import pytest
from tests.data.golden.make_heads import LONG, TEXTS

from polyseme.cli.commands.entities import _draw
from polyseme.client import Client, Entity, InputInfo, TaggedText

MODEL = ("--model", "bert-token_classification")
HARD = "\U0001f642 " + TEXTS[1]
COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def client(server_of_heads):
    with Client(server_of_heads.target, model=MODEL[1], timeout=300) as opened:
        yield opened


def entries(out):
    return [json.loads(line) for line in out.splitlines()]


def test_each_text_is_a_line_with_its_entities(polyseme, client):
    code, out, err = polyseme("entities", *TEXTS[:3], *MODEL)
    assert (code, err) == (0, "")
    found, want = entries(out), client.entities(TEXTS[:3])
    assert [entry["text"] for entry in found] == TEXTS[:3]
    assert any(one.entities for one in want)
    for entry, one in zip(found, want, strict=True):
        named = [(e["text"], e["start"], e["end"], e["label"], e["group"], e["tokens"]) for e in entry["entities"]]
        assert named == [(e.text, e.start, e.end, e.label, e.group, list(e.tokens)) for e in one.entities]
        assert [e["score"] for e in entry["entities"]] == pytest.approx([e.score for e in one.entities], abs=1e-5)
        assert (entry["tokens"], entry["windows"]) == (one.info.tokens, 1)


def test_options_reach_the_server(polyseme, client):
    _, out, _ = polyseme("entities", HARD, "--aggregation", "max", "--offset-unit", "utf8_byte", *MODEL)
    want = client.entities(HARD, aggregation="max", offset_unit="utf8_byte").entities
    assert want != client.entities(HARD).entities
    assert [(e["start"], e["end"]) for e in entries(out)[0]["entities"]] == [(e.start, e.end) for e in want]
    _, out, _ = polyseme("entities", LONG, "--long-texts", "windows", *MODEL)
    assert entries(out)[0]["windows"] > 1


def test_columns_are_kept(polyseme, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(f'id,text\nx,"{TEXTS[1]}"\n')
    _, out, _ = polyseme("entities", "--input", str(path), "--keep", "id", *MODEL)
    assert (entries(out)[0]["id"], entries(out)[0]["text"]) == ("x", TEXTS[1])


@pytest.mark.parametrize("unit", ["code_point", "utf8_byte", "utf16_code_unit"])
@pytest.mark.parametrize("aggregation", ["none", "simple"])
def test_a_terminal_has_them_marked_and_in_a_table(on_terminal, client, unit, aggregation):
    code, out, _ = on_terminal("entities", HARD, "--aggregation", aggregation, "--offset-unit", unit, *MODEL)
    want = client.entities(HARD, aggregation=aggregation).entities
    marked, *table = out.splitlines()
    expected, end = "", 0
    for one in want:
        label = one.group if aggregation == "simple" else one.label
        expected, end = f"{expected}{HARD[end : one.start]}[{one.text} {label}]", one.end
    assert (code, COLOUR.sub("", marked)) == (0, expected + HARD[end:])
    assert COLOUR.search(marked)
    in_unit = client.entities(HARD, aggregation=aggregation, offset_unit=unit).entities
    rows = [line for line in table if re.search(r" [0-9]+-[0-9]+", line)]
    assert [row.split()[-1] for row in map(str.rstrip, rows)] == [f"{one.start}-{one.end}" for one in in_unit[:50]]
    assert f"{len(want)} entities" in out


def test_no_color_has_no_colours(on_terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = on_terminal("entities", HARD, *MODEL)
    marked = out.splitlines()[0]
    assert "[" in marked
    assert "\x1b" not in marked


def test_many_texts_are_shown_in_part(on_terminal):
    _, out, _ = on_terminal("entities", *[TEXTS[1]] * 60, *MODEL)
    assert "10 more texts not shown: --json; " in out
    assert "more entities not shown: --json; " in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a", "--model", "tiny"), 1, "tiny has no head that labels tokens"),
        ((LONG, *MODEL), 1, "texts[0] has"),
        (("a", "--overlap", "3", *MODEL), 2, "--overlap is for --long-texts windows"),
    ],
)
def test_what_is_wrong_is_one_line(polyseme, arguments, code, words):
    found, out, err = polyseme("entities", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert words in err


def test_labels_of_a_server_move_no_cursor(capsys):
    info = InputInfo(tokens=3, original_tokens=3, truncated=False, windows=1)
    one = Entity(text="Ann", start=0, end=3, label="B-\x1b[2J", group="\x1b[2J", score=0.5, tokens=(1,))
    _draw(
        ["Ann left"],
        [TaggedText(entities=(one,), info=info)],
        Namespace(aggregation="simple", offset_unit="code_point"),
    )
    out = capsys.readouterr().out
    assert out.startswith("[Ann \\x1b[2J] left")
    assert out.replace("\n", "").isprintable()
