import pytest
from tests.server.running import running


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact, max_texts=64, max_text_bytes=4096) as it:
        yield it


@pytest.fixture(scope="module")
def minilm_server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it
