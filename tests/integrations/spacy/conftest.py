import pytest
from tests.server.running import running

from polyseme.client import Client


@pytest.fixture(scope="package")
def server(minilm_artifact):
    with running(minilm_artifact, runners=1) as it:
        yield it


@pytest.fixture(scope="package")
def client(server):
    with Client(server.target) as it:
        yield it


@pytest.fixture
def pipeline(server):
    """Makes an English pipeline of a tokenizer and the component, as it is configured."""
    spacy = pytest.importorskip("spacy", reason="make test-spacy brings it")

    def make(**config):
        nlp = spacy.blank("en")
        nlp.add_pipe("polyseme", config={"target": server.target, **config})
        return nlp

    return make
