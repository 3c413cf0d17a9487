"""What polyseme embed --input FILE -o OUT refuses, with one line, and nothing touched."""

import fcntl
import io
import sys

import numpy as np
import pytest
from tests.cli.bulk.samples import names, stop_halfway
from tests.client.fake_server import DIMENSIONS

from polyseme.cli.main import main


def test_a_finished_file_is_not_replaced_unless_told_to(embed, fake, tmp_path):
    out = tmp_path / "out.npy"
    out.write_text("precious")
    assert embed() == (2, f"polyseme: error: {out} exists; use --overwrite to replace it\n")
    assert main(["embed", "a", "-o", str(out)]) == 2
    assert (out.read_text(), names(tmp_path)) == ("precious", ["in.txt", "out.npy"])
    assert embed("--overwrite")[0] == 0
    assert np.load(out).shape == (5, DIMENSIONS)


def test_another_command_is_refused(embed, fake, source, tmp_path, monkeypatch):
    stop_halfway(embed, fake)
    out = tmp_path / "out.npy"
    before = f"polyseme: error: {out} was begun differently: "
    after = "; use --restart to begin again\n"
    assert embed("--dtype", "float16") == (2, f"{before}--dtype was float32, now float16{after}")
    assert embed("--truncate", "end", "--dimensions", "4") == (
        2,
        f"{before}--dimensions was None, now 4; --truncate was none, now end{after}",
    )
    monkeypatch.setattr("tests.client.fake_server.identity.__defaults__", ("ffffffffffff",))
    assert embed() == (2, f"{before}model was tiny 0123456789ab float32, now tiny ffffffffffff float32{after}")
    monkeypatch.undo()
    monkeypatch.setenv("POLYSEME_TARGET", fake.target)
    source.write_text(source.read_text(encoding="utf-8").replace("parrot", "x") + "more\n", encoding="utf-8")
    assert embed() == (2, f"{before}the input has changed{after}")
    assert embed("--restart")[0] == 0
    assert np.load(out).shape == (6, DIMENSIONS)


def test_another_run_has_the_output(embed, fake, tmp_path):
    with (tmp_path / "out.npy.journal").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert embed() == (2, "polyseme: error: another process is writing out.npy\n")


def test_an_input_that_changes_under_the_run_is_refused(embed, fake, source, tmp_path):
    def change(sequence, message, context):
        source.write_text("other\n")

    fake.faults.on_message = change
    code, err = embed()
    assert (code, err.splitlines()[-1]) == (
        2,
        f"polyseme: error: {source} changed while it was read; use --restart",
    )
    assert not (tmp_path / "out.npy").exists()


def test_another_model_under_the_run_is_refused(embed, fake, tmp_path, monkeypatch):
    def change(sequence, message, context):
        monkeypatch.setattr("tests.client.fake_server.identity.__defaults__", ("ffffffffffff",))

    fake.faults.on_message = change
    code, err = embed()
    expected = "the model tiny changed from 0123456789ab to ffffffffffff during the run"
    assert (code, err) == (1, f"polyseme: error: {expected}\n")
    assert names(tmp_path) == ["in.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--field", "x"], "--field is for jsonl and json; the input is text (--format)"),
        (["--column", "x"], "--column is for csv and tsv and parquet; the input is text (--format)"),
        (["--no-header"], "--no-header is for csv and tsv; the input is text (--format)"),
        (["--dtype", "binary", "--on-error", "skip"], "--on-error skip: packed bits have no NaN; use .parquet or"),
        (["--format", "parquet"], "in.txt is not Parquet that can be read"),
        (["--format", "csv"], "in.txt has no column text; it has 1: the bank of the river"),
        (["-o", "in.txt/x.npy"], "there is no directory in.txt"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments, message, embed, fake, tmp_path):
    if "parquet" in arguments:
        pytest.importorskip("pyarrow")
    code, err = embed(*arguments)
    assert (code, err.count("\n"), names(tmp_path)) == (2, 1, ["in.txt"])
    assert message in err


def test_the_output_is_not_the_input(embed, fake, tmp_path):
    given = tmp_path / "in.jsonl"
    given.write_text("{}\n")
    assert embed("--overwrite", given=given, out="in.jsonl")[0] == 2
    assert given.read_text() == "{}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "csv"], "--format is for --input FILE or stdin"),
        (["--keep", "a"], "--keep is for --input FILE or stdin"),
        (["--restart"], "--restart is for --input FILE with -o OUT; TEXT, stdin and pipes cannot resume"),
        (["--on-error", "skip"], "--on-error skip is for --input FILE with -o OUT; TEXT, stdin and pipes cannot"),
        (["-o", "x.parquet"], ".parquet is for --input FILE, a file that is no pipe"),
    ],
)
def test_what_is_for_files_is_refused_elsewhere(arguments, message, capsys):
    assert main(["embed", "a", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_stdin_cannot_resume_and_says_so(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    assert main(["embed", "-o", str(tmp_path / "out.npy")]) == 0
    assert capsys.readouterr().err == "stdin and pipes are read into memory and cannot resume; --input FILE can\n"


def test_no_texts_is_an_error(embed, fake, source, tmp_path):
    source.write_text("")
    assert embed() == (2, f"polyseme: error: {source} has no texts\n")
    assert names(tmp_path) == ["in.txt"]


def test_no_server_is_one_line(embed, tmp_path, monkeypatch):
    monkeypatch.setenv("POLYSEME_TARGET", "127.0.0.1:1")
    code, err = embed("--timeout", "1")
    assert (code, err.count("\n"), names(tmp_path)) == (1, 1, ["in.txt"])
