import pytest
from tests.gateway.page.taggers import export_tagger
from tests.gateway.running import gateway_to
from tests.server.running import running


@pytest.fixture(scope="package")
def tagging_server(tmp_path_factory, tiny_artifact):
    """A real server of a model that finds entities, and of one that finds none."""
    with running(export_tagger(tmp_path_factory.mktemp("taggers")), tiny_artifact, runners=1) as it:
        yield it


@pytest.fixture(scope="package")
def tagging_gateway(tagging_server):
    """A gateway to it."""
    with gateway_to(tagging_server.target) as it:
        yield it
