import pytest

from polyseme.cli.output.lines import abridge, one_line, spell_out


def test_what_would_not_print_is_a_space():
    assert one_line("a\nb\x1b[31m\u202ec") == "a b [31m c"


def test_what_would_not_print_is_spelled_out():
    assert spell_out("a\nb\x1b[31m\u202ec") == r"a\nb\x1b[31m\u202ec"


def test_joiners_stay_as_they_are():
    assert spell_out("\u0645\u06cc\u200c\u062e\u0648") == "\u0645\u06cc\u200c\u062e\u0648"


@pytest.mark.parametrize(("text", "shown"), [("a\nbank", "a bank"), ("a banks", "a ban…")])
def test_a_longer_text_is_cut(text, shown):
    assert abridge(text, 6) == shown
