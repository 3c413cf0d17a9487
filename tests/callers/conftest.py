import pytest
from tests.server.running import running


@pytest.fixture(scope="session")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it
