import pytest
from tests.integrations.prompted import QUERY, TEXTS, by_sdk, prompted


@pytest.fixture(scope="module")
def prompted_server(tiny_checkpoint, tmp_path_factory):
    with prompted(tiny_checkpoint, tmp_path_factory.mktemp("prompted")) as server:
        yield server


@pytest.fixture(scope="module")
def query(prompted_server):
    return by_sdk(prompted_server, QUERY, "query")


@pytest.fixture(scope="module")
def documents(prompted_server):
    return by_sdk(prompted_server, TEXTS, "passage")


@pytest.fixture(scope="module")
def closed_server(tiny_checkpoint, tmp_path_factory):
    """A server that knows the token "canaryxyzzy" alone."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "tokens").write_text("canaryxyzzy\n")
    with prompted(tiny_checkpoint, folder, token_file=str(folder / "tokens")) as server:
        yield server
