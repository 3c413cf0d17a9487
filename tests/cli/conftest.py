import shutil

import pytest
from tests.export.checkpoints import copy


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    """A tiny checkpoint of one's own to change."""
    return copy(tiny_checkpoint, tmp_path / "tiny")


@pytest.fixture
def artifact(tiny_artifact, tmp_path):
    """A tiny artifact of one's own to change."""
    return shutil.copytree(tiny_artifact, tmp_path / "artifact")
