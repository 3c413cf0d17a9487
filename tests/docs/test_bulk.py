"""What docs/bulk.md names exists."""

import argparse
import json
import re
from pathlib import Path

from polyseme.cli.bulk.arguments import SUFFIXES
from polyseme.cli.commands import embed, serve
from polyseme.cli.inputs.formats import FORMATS, add_format_arguments

PAGE = (Path(__file__).parents[2] / "docs/bulk.md").read_text(encoding="utf-8")


def options():
    parser = argparse.ArgumentParser()
    embed.add_arguments(parser)
    return set(parser._option_string_actions)


def test_options_of_the_page_exist():
    shown = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    assert len(shown) > 15
    assert shown - options() == {"--max-batch-texts"}
    assert "--max-batch-texts" in parser._option_string_actions


def test_the_page_has_every_option_for_files():
    parser = argparse.ArgumentParser()
    embed.add_bulk_arguments(parser)
    add_format_arguments(parser)
    assert {flag for flag in parser._option_string_actions if flag not in ("-h", "--help")} <= set(
        re.findall(r"--[a-z][a-z-]+", PAGE)
    )


def test_formats_of_the_page_are_all_there_are():
    assert f"`--format {'|'.join(FORMATS)}`" in PAGE
    assert re.findall(r"^\| `(\.[a-z]+)` \| (?:array|columns|`)", PAGE, re.MULTILINE) == list(SUFFIXES)


def test_the_report_of_the_page_is_json():
    [line] = re.findall(r"```json\n(.*?)\n```", PAGE)
    assert set(json.loads(line)) == {"row", "line", "status", "message"}
