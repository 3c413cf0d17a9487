import argparse

import pytest

from polyseme.cli.arguments.predictions import add_prediction_arguments, prediction_options
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
