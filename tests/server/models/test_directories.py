import logging
import shutil

import pytest

from polyseme.server.errors import ConfigError
from polyseme.server.models.directories import open_artifacts


@pytest.fixture
def place(tiny_artifact, tmp_path):
    """A models directory: two artifacts, a folder that is none, and one that is hidden."""
    for name in ("b", "a"):
        shutil.copytree(tiny_artifact, tmp_path / "models" / name)
    (tmp_path / "models" / "notes").mkdir()
    (tmp_path / "models" / ".half").mkdir()
    return tmp_path / "models"


def test_open_artifacts_takes_an_artifact_or_a_folder_of_them(place, tiny_artifact, caplog):
    with caplog.at_level(logging.WARNING):
        opened = open_artifacts([tiny_artifact, place])
    assert [one.path("manifest.json").parent.name for one in opened] == [tiny_artifact.name, "a", "b"]
    assert [record.getMessage().endswith("notes has no manifest.json") for record in caplog.records] == [True]


def test_open_artifacts_refuses_a_folder_without_any(tmp_path):
    with pytest.raises(ConfigError, match=r"has no manifest\.json, and no folder that has one"):
        open_artifacts([tmp_path])
