from contextlib import contextmanager

import pytest
from tests.export.encoders.architectures.test_heads import FP32, checkpoint
from tests.server.running import running

from polyseme.export import export_model


@pytest.fixture(scope="session")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


@contextmanager
def with_head(name, folder):
    """A server of a tiny model with a head."""
    export_model(str(checkpoint(name, folder)), folder / "artifact", FP32)
    with running(folder / "artifact") as it:
        yield it


@pytest.fixture(scope="session")
def tagger(tmp_path_factory):
    """A model that labels tokens."""
    with with_head("bert-token_classification", tmp_path_factory.mktemp("tagger")) as it:
        yield it


@pytest.fixture(scope="session")
def answerer(tmp_path_factory):
    """A model that answers questions."""
    with with_head("bert-question_answering", tmp_path_factory.mktemp("answerer")) as it:
        yield it


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """A model that gives texts one of several labels."""
    with with_head("bert-classification", tmp_path_factory.mktemp("classifier")) as it:
        yield it


@pytest.fixture(scope="session")
def ranker(tmp_path_factory):
    """A model with a head of one label, which puts texts in order."""
    with with_head("bert-one_label", tmp_path_factory.mktemp("ranker")) as it:
        yield it
