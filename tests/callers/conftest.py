import pytest
from tests.export.encoders.architectures.test_heads import FP32, checkpoint
from tests.server.running import running

from polyseme.export import export_model


@pytest.fixture(scope="session")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


@pytest.fixture(scope="session")
def tagger(tmp_path_factory):
    """A server of a tiny model that labels tokens."""
    folder = tmp_path_factory.mktemp("tagger")
    export_model(str(checkpoint("bert-token_classification", folder)), folder / "tagger", FP32)
    with running(folder / "tagger") as it:
        yield it
