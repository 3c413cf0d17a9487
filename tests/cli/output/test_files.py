from argparse import Namespace
from contextlib import suppress

import pytest

from polyseme.cli.errors import CliError
from polyseme.cli.output.files import refuse_to_replace, writing


def test_a_file_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with suppress(KeyboardInterrupt), writing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out", b"before")]


def test_a_file_is_replaced_when_it_is_complete(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with writing(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out", b"after")]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with (
        pytest.raises(CliError, match=r"cannot write .*/none/out: No such file or directory"),
        writing(tmp_path / "none/out"),
    ):
        pass


def test_a_file_is_replaced_where_asked_alone(tmp_path):
    path = tmp_path / "out"
    refuse_to_replace(path, Namespace(overwrite=False))
    path.touch()
    refuse_to_replace(path, Namespace(overwrite=True))
    with pytest.raises(CliError, match="out exists; use --overwrite to replace it"):
        refuse_to_replace(path, Namespace(overwrite=False))
