"""Haystack embeds with a Polyseme server: `make test-integrations`."""

import asyncio
from importlib.metadata import version

import pytest
from grpc import ssl_channel_credentials
from tests.integrations.prompted import QUERY, TEXTS, by_sdk

pytest.importorskip("haystack", reason="make test-integrations brings it")
from haystack import Document, Pipeline
from haystack.core.errors import PipelineRuntimeError, SerializationError
from haystack.utils import Secret

from polyseme.integrations.haystack import PolysemeDocumentEmbedder, PolysemeTextEmbedder

pytestmark = [pytest.mark.integrations, pytest.mark.library("haystack-ai")]


def test_queries_and_documents_have_their_prompts(prompted_server, query, documents):
    given = [Document(content=text) for text in TEXTS]
    found = PolysemeDocumentEmbedder(prompted_server.target).run(given)["documents"]
    assert PolysemeTextEmbedder(prompted_server.target).run(QUERY)["embedding"] == query
    assert [one.embedding for one in found] == documents
    assert [one.content for one in found] == TEXTS
    assert [one.embedding for one in given] == [None] * 3  # they are not changed
    assert PolysemeDocumentEmbedder(prompted_server.target).run([])["documents"] == []


def test_async(prompted_server, query, documents):
    given = [Document(content=text) for text in TEXTS]
    found = asyncio.run(PolysemeDocumentEmbedder(prompted_server.target).run_async(given))["documents"]
    assert [one.embedding for one in found] == documents
    assert asyncio.run(PolysemeTextEmbedder(prompted_server.target).run_async(QUERY))["embedding"] == query


def test_prompts_and_options_of_the_caller(prompted_server):
    embedder = PolysemeTextEmbedder(prompted_server.target, prompt="passage", options={"dimensions": 8})
    assert len(embedder.run(QUERY)["embedding"]) == 8
    whole = PolysemeTextEmbedder(prompted_server.target, prompt="passage")
    assert whole.run(QUERY)["embedding"] == by_sdk(prompted_server, QUERY, "passage")


def test_a_pipeline_is_written_and_read_without_its_token(closed_server, query, monkeypatch):
    monkeypatch.setenv("POLYSEME_TOKEN", "canaryxyzzy")
    pipeline = Pipeline()
    pipeline.add_component(
        "text", PolysemeTextEmbedder(closed_server.target, token=Secret.from_env_var("POLYSEME_TOKEN"))
    )
    written = pipeline.dumps()
    assert "canaryxyzzy" not in written
    allowed = {"allowed_modules": ["polyseme.integrations"]} if version("haystack-ai") >= "3" else {}  # new in 3
    read = Pipeline.loads(written, **allowed)
    assert read.run({"text": {"text": QUERY}})["text"]["embedding"] == query


def test_a_pipeline_raises_its_own_error_over_that_of_the_sdk(prompted_server):
    pipeline = Pipeline()
    pipeline.add_component("text", PolysemeTextEmbedder(prompted_server.target, model="nonsense"))
    with pytest.raises(PipelineRuntimeError, match="nonsense"):
        pipeline.run({"text": {"text": QUERY}})


def test_a_pipeline_with_credentials_cannot_be_written(prompted_server):
    pipeline = Pipeline()
    pipeline.add_component("text", PolysemeTextEmbedder(prompted_server.target, credentials=ssl_channel_credentials))
    with pytest.raises(SerializationError, match="credentials"):
        pipeline.dumps()
