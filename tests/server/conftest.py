import pytest
from tests.server.running import running

from polyseme.server.scheduling.forecast import Forecast


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact, max_texts=64, max_text_bytes=4096) as it:
        yield it


@pytest.fixture(scope="module")
def minilm_server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


@pytest.fixture
def unforeseen(monkeypatch):
    """Calls are let in however little time they have: no server foresees how long they will wait."""
    monkeypatch.setattr(Forecast, "seconds", lambda *_: 0.0)
