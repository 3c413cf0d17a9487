"""Artifacts that `polyseme serve` exports by itself. tests/cli/commands/test_serve.py serves them."""

import logging
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from polyseme.artifact import Artifact
from polyseme.cli.cache import NamedSource, default_folder, exported, source_of
from polyseme.cli.errors import CliError

BEGUN = "building graphs"


@pytest.fixture
def source(tiny_checkpoint, tmp_path):
    """A package that carries the tiny checkpoint, of one's own to change."""
    shutil.copytree(tiny_checkpoint, tmp_path / "carrier/model")
    return NamedSource(f"package:{tmp_path / 'carrier'}")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, "polyseme.cli.cache")
    return caplog


def checkpoint(source):
    return Path(source.spec.removeprefix("package:")) / "model"


@pytest.mark.parametrize(
    ("argument", "source"),
    [
        ("hf:some/model@main", NamedSource("hf:some/model@main")),
        ("package:carrier", NamedSource("package:carrier")),
        ("mine=package:a=b", NamedSource("package:a=b", "mine")),
        ("team/mine=hf:some/model", NamedSource("hf:some/model", "team/mine")),
        ("models/minilm", None),
        ("models/a=b", None),
        ("models:package:x", None),
    ],
)
def test_what_is_a_source_and_what_a_directory(argument, source):
    assert source_of(argument) == source


def test_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_folder({"XDG_CACHE_HOME": "/var/c"}) == Path("/var/c/polyseme")
    assert default_folder({}) == default_folder({"XDG_CACHE_HOME": "c"}) == Path("/home/ada/.cache/polyseme")


def test_a_source_is_exported_once(source, folder, log):
    first = exported(source, folder)
    assert Artifact.open(first).manifest.name == "carrier"
    written, said = (first / "manifest.json").stat(), len(log.messages)
    assert exported(source, folder) == first
    assert log.messages[said:] == [f"{source.spec} was exported before, into {first}"]
    assert (first / "manifest.json").stat() == written
    assert list(folder.iterdir()) == [first]


def test_another_name_checkpoint_or_exporter_is_another_artifact(source, folder, monkeypatch):
    exported(source, folder)
    named = exported(NamedSource(source.spec, "mine"), folder)
    assert Artifact.open(named).manifest.name == "mine"
    with (checkpoint(source) / "config.json").open("a") as file:
        file.write("\n")
    exported(source, folder)
    monkeypatch.setattr("polyseme.export.identity.exporter_version", lambda: "next")
    assert exported(source, folder).name.endswith("-next")
    assert len(list(folder.iterdir())) == 4


def test_an_export_that_fails_leaves_nothing(source, folder):
    (checkpoint(source) / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(CliError, match=r"model\.safetensors") as caught:
        exported(source, folder)
    assert caught.value.exit_code == 2
    assert list(folder.iterdir()) == []


def test_a_damaged_artifact_is_exported_again(source, folder, log):
    target = exported(source, folder)
    (target / "tokenizer.json").write_text("{}")
    assert exported(source, folder) == target
    Artifact.open(target)
    assert any(line.startswith(f"{source.spec} is exported again: {target}/tokenizer.json: ") for line in log.messages)


@pytest.mark.parametrize(("number", "left"), [(signal.SIGKILL, 2), (signal.SIGTERM, 0)])
def test_what_a_killed_export_left_is_removed_by_the_next(source, folder, number, left):
    """At SIGTERM it removes that itself."""
    program = f"""
import logging, os, sys
from polyseme.cli.main import main
class Killer(logging.Handler):
    def emit(self, record):
        if "{BEGUN}" in record.getMessage():
            os.kill(os.getpid(), {int(number)})
logging.getLogger("polyseme.cli.cache").addHandler(Killer())
sys.exit(main(["serve", "{source.spec}", "--cache", "{folder}"]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == (0 if number == signal.SIGTERM else -number), run.stderr
    assert len(list(folder.iterdir())) == left
    target = exported(source, folder)
    assert list(folder.iterdir()) == [target]


def test_of_two_at_once_one_exports_and_one_waits(source, folder, log):
    begun, waits = threading.Event(), threading.Event()
    targets = []

    def gate(record):
        """Hold the export up until the other one waits."""
        if BEGUN in record.getMessage():
            begun.set()
            assert waits.wait(300)
        if record.getMessage() == f"waiting for another process that exports {source.spec}":
            waits.set()
        return True

    logger = logging.getLogger("polyseme.cli.cache")
    logger.addFilter(gate)
    try:
        threads = [threading.Thread(target=lambda: targets.append(exported(source, folder))) for _ in range(2)]
        threads[0].start()
        assert begun.wait(300)
        threads[1].start()
        for thread in threads:
            thread.join(300)
    finally:
        logger.removeFilter(gate)
    assert waits.is_set()
    assert len(targets) == 2
    assert len([line for line in log.messages if BEGUN in line]) == 1
    assert list(folder.iterdir()) == [targets[0]] == [targets[1]]


def test_a_folder_that_cannot_be_written_to_is_one_line(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        CliError, match=f"cannot write to {tmp_path}/file/c: .*; --cache names another folder"
    ) as caught:
        exported(source, tmp_path / "file/c")
    assert caught.value.exit_code == 2


def test_a_missing_extra_is_one_line():
    program = "import sys; sys.modules['onnx'] = None; from polyseme.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "hf:some/model"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    needs = "hf:some/model is exported first, which needs onnx: pip install 'polyseme[server,export]'"
    assert (run.returncode, run.stderr) == (2, f"polyseme: error: {needs}\n")
