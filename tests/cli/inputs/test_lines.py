import pytest
from tests.cli.inputs.reading import content

from polyseme.cli.errors import CliError
from polyseme.cli.inputs import lines
from polyseme.cli.inputs.lines import text_records
from polyseme.cli.inputs.records import Record


def test_only_lf_and_crlf_end_a_line():
    found = list(text_records(content("\ufeffa\u2028b\r\n\nc\x0c\rd".encode())))
    assert found == [Record("a\u2028b", 1), Record("", 2), Record("c\x0c\rd", 3)]


def test_bytes_that_are_no_utf_8_are_a_problem_of_their_line():
    assert list(text_records(content(b"ab\xff\nc"))) == [Record("", 1, "is not UTF-8: byte 2"), Record("c", 2)]


def test_an_input_can_be_read_again():
    text = content(b"a\nb\n")
    assert list(text_records(text)) == list(text_records(text)) == [Record("a", 1), Record("b", 2)]


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    assert list(text_records(content(b"123456789\n"))) == [Record("123456789", 1)]
    with pytest.raises(CliError, match="in line 2 has more than 10 bytes"):
        list(text_records(content(b"a\n1234567890\n")))
