import pytest
from tests.export.checkpoints import copy


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    """A tiny checkpoint of one's own to change."""
    return copy(tiny_checkpoint, tmp_path / "tiny")
