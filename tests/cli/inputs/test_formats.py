import argparse

import pytest

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.formats import add_format_arguments, check_no_input, delimiter_of, format_of


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    add_format_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tsv", "tsv"), ("a.json", "json"), ("a.JSONL", "jsonl"), ("a.ndjson.gz", "jsonl"), ("a.csv.gz", "csv"),
        ("a.parquet", "parquet"), ("a.txt", "text"), ("a.md", "text"), ("a", "text"), ("a.gz", "text"),
        ("stdin", "text"),
    ],
)  # fmt: skip
def test_a_suffix_tells_the_format(name, expected):
    assert format_of(parsed(), name) == expected
    assert format_of(argparse.Namespace(), name) == expected
    assert format_of(parsed("--format", "text"), name) == "text"


@pytest.mark.parametrize("name", ["a.xlsx", "a.html.gz", "a.YAML", "a.npy"])
def test_files_that_are_no_lines_of_text_are_refused_unless_told_otherwise(name):
    with pytest.raises(CliError, match=r"is not read; jsonl, json, csv, tsv, parquet are"):
        format_of(parsed(), name)
    assert format_of(parsed("--format", "text"), name) == "text"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--field", "x"], "--field is for jsonl and json; the input is csv"),
        (["--format", "tsv", "--delimiter", ","], "--delimiter is for csv; the input is tsv"),
    ],
)
def test_options_of_another_format_are_refused(arguments, message):
    with pytest.raises(CliError, match=message):
        format_of(parsed(*arguments), "a.csv")


@pytest.mark.parametrize("given", ["", ";;", '"', "\n"])
def test_what_cannot_separate_is_refused(given):
    with pytest.raises(CliError, match="it must be one character"):
        delimiter_of(parsed("--delimiter", given), "csv")


def test_delimiters():
    assert [delimiter_of(parsed(), kind) for kind in ("csv", "tsv")] == [",", "\t"]
    assert [delimiter_of(parsed("--delimiter", given), "csv") for given in (";", "\\t", "tab", "\t")] == [
        ";",
        *"\t\t\t",
    ]


def test_texts_of_the_command_line_have_no_format():
    with pytest.raises(CliError, match="--column is for --input FILE or stdin"):
        check_no_input(parsed("--column", "a"))
