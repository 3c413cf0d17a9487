import argparse

import pytest

from polyseme.cli.arguments.predictions import add_prediction_arguments, decisive_options, prediction_options
from polyseme.cli.errors import CliError


def options(*arguments):
    parser = argparse.ArgumentParser()
    add_prediction_arguments(parser)
    return prediction_options(parser.parse_args(arguments))


def test_options_are_those_of_the_sdk():
    assert options() == {"head": None, "long_texts": "refuse", "overlap": None}
    given = options("--head", "moods", "--long-texts", "windows", "--overlap", "3")
    assert given == {"head": "moods", "long_texts": "windows", "overlap": 3}


def test_an_overlap_is_of_windows():
    with pytest.raises(CliError, match="--overlap is for --long-texts windows"):
        options("--overlap", "3")


def test_what_decides_the_output_has_the_names_of_its_flags():
    parser = argparse.ArgumentParser()
    add_prediction_arguments(parser)
    parser.add_argument("--offset-unit")
    args = parser.parse_args(["--head", "moods", "--offset-unit", "utf8_byte"])
    assert decisive_options(args, "entities", "offset_unit") == {
        "command": "entities",
        "--head": "moods",
        "--long-texts": "refuse",
        "--overlap": None,
        "--offset-unit": "utf8_byte",
    }
