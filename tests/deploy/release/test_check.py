"""The parts of the check that build nothing; `make release-check` is all of it."""

import sys
import tomllib

import pytest
from deploy.release import check
from deploy.release.versions import PLACES

VERSION = tomllib.loads((check.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A folder with the files that say the version; commits and tags are none."""
    for name in ("CHANGELOG.md", *{place.file for place in PLACES}):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((check.ROOT / name).read_bytes())
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(check, "_git", lambda *_: "")
    return tmp_path


def failed(version):
    run = check.Run()
    check.check_versions(run, version)
    return [row.check for row in run.rows if not row.ok]


def test_one_version_everywhere_is_good(copied, capsys):
    assert failed(VERSION) == []
    assert "NO" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "file", ["Dockerfile", "docs/container.md", "deploy/kubernetes/server.yaml", "deploy/compose.yaml"]
)
def test_a_file_that_was_forgotten_is_named(copied, capsys, file):
    (copied / file).write_text((copied / file).read_text().replace(VERSION, "0.0.9"))
    assert set(failed(VERSION)) == {f"version in {file}"}
    assert "| NO | 0.0.9" in capsys.readouterr().out


def test_a_version_that_only_the_project_has_is_told_of_all_others(copied):
    (copied / "pyproject.toml").write_text((copied / "pyproject.toml").read_text().replace(VERSION, "9.9.9"))
    assert len(failed("9.9.9")) == len(PLACES) - 1


@pytest.mark.parametrize(("status", "ok"), [(0, True), (3, False)])
def test_a_command_that_fails_is_a_row_that_fails_with_its_whole_log(capsys, status, ok):
    run = check.Run()
    assert run.command("it", sys.executable, "-c", f"print('first'); print('last'); exit({status})") is ok
    assert (run.rows[0].seen, run.rows[0].ok) == ("last", ok)
    assert ("first" in capsys.readouterr().err) is not ok
