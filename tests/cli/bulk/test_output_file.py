"""A crash before any single operation on the disk, with and without the loss of what was not synced."""

import itertools
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from polyseme.cli.bulk.formats import JsonLines, Npy, Parquet, Row
from polyseme.cli.bulk.output_file import OutputFile, beside
from polyseme.cli.errors import CliError
from polyseme.cli.inputs.records import Record

FORMATS = {
    "out.npy": lambda: Npy(3, np.float32),
    "out.parquet": lambda: Parquet(3, np.float32, {"model": "tiny"}),
    "out.jsonl": JsonLines,
}
ROWS = [
    Row(i, Record(f"text {i}", i + 1), None, "INVALID_ARGUMENT", "is too long")
    if i % 5 == 3
    else Row(i, Record(f"text {i}", i + 1), np.arange(3, dtype=np.float32) + i)
    for i in range(7)
]
OPERATIONS = [(os, "pwrite"), (os, "fsync"), (os, "ftruncate"), (Path, "replace"), (Path, "unlink")]


class CrashError(BaseException):
    """The machine stops here."""


class Disk:
    """Counts operations, fails the n-th and all that follow; keeps what was synced of each file."""

    def __init__(self, monkeypatch, crash_at):
        self.left, self.synced = crash_at, {}
        for owner, name in OPERATIONS:
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, operation):
        def counted(*args, **kwargs):
            if self.left == 1:
                if operation.__name__ == "pwrite":
                    file, data, offset = args
                    operation(file, data[: len(data) // 2], offset)
                raise CrashError
            self.left -= 1
            result = operation(*args, **kwargs)
            if operation.__name__ == "fsync":
                path = Path(f"/proc/self/fd/{args[0]}").readlink()
                if path.is_file():
                    self.synced[path.stat().st_ino] = path.read_bytes()
            return result

        return counted

    def lose(self, directory):
        """Cut every file back to what was synced."""
        for path in directory.iterdir():
            path.write_bytes(self.synced.get(path.stat().st_ino, b""))


def make(target, format_):
    """What a run does, two rows a commit; whether it came to the end."""
    try:
        if target.is_finished:
            target.discard()
        else:
            if target.can_resume:
                target.resume()
            else:
                target.begin({"job": 1}, format_)
            while not target.committed.sealed and target.committed.rows < len(ROWS):
                target.commit(ROWS[target.committed.rows :][:2], "line", format_)
            target.finish(format_)
        target.__exit__(None, None, None)
    except CrashError:
        for file in (*target._files, target._journal._file):
            with suppress(OSError):
                os.close(file)
        return target.path.exists() and not beside(target.path, ".journal").exists()
    return True


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("loses", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_crash_anywhere_costs_nothing(name, loses, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    assert make(OutputFile(whole / name), FORMATS[name]())
    expected = contents(whole)
    assert set(expected) == {name, f"{name}.errors.jsonl"}
    for crash_at in itertools.count(1):
        directory = tmp_path / str(crash_at)
        directory.mkdir()
        target = OutputFile(directory / name)
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = Disk(monkeypatch, crash_at)
            done = make(target, FORMATS[name]())
        if done:
            break
        if loses:
            disk.lose(directory)
        assert make(OutputFile(directory / name), FORMATS[name]())
        assert contents(directory) == expected, crash_at
    assert crash_at > 20


def test_a_second_process_is_refused(tmp_path):
    path = tmp_path / "out.npy"
    with OutputFile(path), pytest.raises(CliError, match=r"another process is writing out\.npy"):
        OutputFile(path)
    with OutputFile(path):
        pass
    assert contents(tmp_path) == {}


def test_a_partial_file_that_shrank_is_refused(tmp_path):
    path, format_ = tmp_path / "out.npy", Npy(3, np.float32)
    with OutputFile(path) as target:
        target.begin({}, format_)
        target.commit(ROWS[:4], "line", format_)
    partial = tmp_path / "out.npy.partial"
    partial.write_bytes(partial.read_bytes()[:-1])
    with OutputFile(path) as target, pytest.raises(CliError, match=r"partial has 175 bytes, and its journal says 176"):
        target.resume()


@pytest.mark.parametrize("crash_at", [1, 2, 3, 4, 5, 6])
def test_a_commit_that_ctrl_c_cut_short_is_done_again(crash_at, tmp_path):
    path, format_ = tmp_path / "out.npy", Npy(3, np.float32)
    with OutputFile(path) as target:
        target.begin({}, format_)
        with pytest.MonkeyPatch.context() as monkeypatch, suppress(CrashError):
            Disk(monkeypatch, crash_at)
            target.commit(ROWS[:4], "line", format_)
        assert target.committed.rows == 0
        target.commit(ROWS[:4], "line", format_)
    with OutputFile(path) as target:
        assert target.can_resume
        target.resume()
        target.finish(format_)
    assert np.load(path)[:3].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert len((tmp_path / "out.npy.errors.jsonl").read_text().splitlines()) == 1


def test_rows_that_are_there_are_not_added_again(tmp_path):
    """Ctrl-C may come when a commit is through and its caller does not know yet."""
    path, format_ = tmp_path / "out.npy", Npy(3, np.float32)
    with OutputFile(path) as target:
        target.begin({}, format_)
        target.commit(ROWS[:4], "line", format_)
        target.commit(ROWS[:5], "line", format_)
        assert (target.committed.rows, target.committed.failed) == (5, 1)
        target.finish(format_)
    assert np.load(path)[:, 0].tolist() == pytest.approx([0, 1, 2, np.nan, 4], nan_ok=True)


def test_what_was_not_counted_is_cut_off(tmp_path):
    path, format_ = tmp_path / "out.npy", Npy(3, np.float32)
    with OutputFile(path) as target:
        target.begin({}, format_)
        target.commit(ROWS[:4], "line", format_)
    for name in ("out.npy.partial", "out.npy.partial.errors.jsonl", "out.npy.journal"):
        with (tmp_path / name).open("ab") as file:
            file.write(b'{"half of a' * 100)
    with OutputFile(path) as target:
        target.resume()
        target.commit(ROWS[4:5], "line", format_)
        target.finish(format_)
    assert np.load(path)[:, 0].tolist() == pytest.approx([0, 1, 2, np.nan, 4], nan_ok=True)
    assert path.stat().st_size == 128 + 5 * 12
    assert len((tmp_path / "out.npy.errors.jsonl").read_text().splitlines()) == 1


def test_an_old_report_goes_with_the_file_that_it_was_of(tmp_path):
    path, format_ = tmp_path / "out.npy", Npy(3, np.float32)
    path.write_text("old")
    (tmp_path / "out.npy.errors.jsonl").write_text("old")
    with OutputFile(path) as target:
        target.begin({}, format_)
        target.commit(ROWS[:2], "line", format_)
        target.finish(format_)
    assert list(contents(tmp_path)) == ["out.npy"]
