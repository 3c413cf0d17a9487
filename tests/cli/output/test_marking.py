import re
import sys

import pytest

from polyseme.cli.output.marking import Span, colours_of, mark, print_marked

SPANS = [Span(0, 3, "PER"), Span(10, 14, "LOC")]
TEXT = "Ann is in Oslo."
MARKED = "[Ann PER] is in [Oslo LOC].\n"
COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def shown(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def show(text, spans, *, terminal=True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        print_marked([mark(text, spans, colours_of([span.label for span in spans]))])
        return capsys.readouterr().out

    return show


def test_a_terminal_has_a_colour_for_each_label(shown):
    out = shown(TEXT, SPANS)
    assert out == "\x1b[36m[Ann PER]\x1b[0m is in \x1b[33m[Oslo LOC]\x1b[0m.\n"


def test_without_colours_brackets_say_the_same(shown, monkeypatch):
    assert shown(TEXT, SPANS, terminal=False) == MARKED
    with monkeypatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        assert shown(TEXT, SPANS) == MARKED
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "dumb")
        assert shown(TEXT, SPANS) == MARKED


@pytest.mark.parametrize(
    "text",
    [
        "\u5f20\u4f1f\u4f4f\u5728\u5317\u4eac\u5e02\u671d\u9633\u533a" * 4,
        "\u05d3\u05e0\u05d9 \u05d2\u05e8 \u05d1\u05d7\u05d9\u05e4\u05d4",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0628\u0631\u0648\u0645",
        "\U0001f469\u200d\U0001f52c e\u0301 went home",
        "[red]a[/red] [b",
    ],
)
def test_wide_right_to_left_and_joined_text_stays_whole_and_in_its_order(shown, text):
    out = COLOUR.sub("", shown(text, [Span(1, 4, "X")]))
    assert out == f"{text[:1]}[{text[1:4]} X]{text[4:]}\n"


def test_what_does_not_print_is_spelled_out(shown):
    text = "a\x1b[2Jb\nc\x85\u202ed\u2028"
    out = COLOUR.sub("", shown(text, [Span(5, 8, "X")]))
    assert out == "a\\x1b[2J[b\\nc X]\\x85\\u202ed\\u2028\n"


def test_of_spans_that_overlap_the_first_is_marked(shown):
    """Several tokens of one character have the same offsets."""
    assert shown("abc", [Span(0, 2, "X"), Span(0, 2, "X"), Span(1, 3, "X")], terminal=False) == "[ab X]c\n"


def test_more_labels_than_colours_share_them():
    colours = colours_of([*"abcdefg", "a"])
    assert list(colours) == list("abcdefg")
    assert colours["a"] == colours["g"]
    assert len(set(colours.values())) == 6
