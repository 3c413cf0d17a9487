"""LlamaIndex embeds with a Polyseme server: `make test-integrations`."""

import asyncio
import pickle

import pytest
from tests.integrations.prompted import QUERY, TEXTS, by_sdk

from polyseme.client import NotFoundError

pytest.importorskip("llama_index.core", reason="make test-integrations brings it")
from llama_index.core.schema import TextNode

from polyseme.integrations.llamaindex import PolysemeEmbedding

pytestmark = [pytest.mark.integrations, pytest.mark.library("llama-index-core")]


@pytest.fixture(scope="module")
def embedding(prompted_server):
    return PolysemeEmbedding(target=prompted_server.target)


def test_queries_and_texts_have_their_prompts(embedding, query, documents):
    assert embedding.get_query_embedding(QUERY) == query
    assert embedding.get_text_embedding(TEXTS[0]) == pytest.approx(documents[0], abs=1e-5)  # in another batch
    assert embedding.get_text_embedding_batch(TEXTS) == documents
    assert embedding.get_text_embedding_batch([]) == []


def test_async_in_one_event_loop_after_another(embedding, query, documents):
    assert asyncio.run(embedding.aget_query_embedding(QUERY)) == query
    assert asyncio.run(embedding.aget_text_embedding(TEXTS[0])) == pytest.approx(documents[0], abs=1e-5)
    assert asyncio.run(embedding.aget_text_embedding_batch(TEXTS)) == documents


def test_prompts_and_options_of_the_caller(prompted_server):
    embedding = PolysemeEmbedding(target=prompted_server.target, query_prompt="passage", options={"dimensions": 8})
    assert len(embedding.get_query_embedding(QUERY)) == 8
    whole = PolysemeEmbedding(target=prompted_server.target, query_prompt="passage")
    assert whole.get_query_embedding(QUERY) == by_sdk(prompted_server, QUERY, "passage")


def test_a_pipeline_s_nodes_get_vectors(embedding, documents):
    nodes = embedding([TextNode(text=text) for text in TEXTS])
    assert [node.embedding for node in nodes] == documents


def test_errors_are_those_of_the_sdk(prompted_server):
    with pytest.raises(NotFoundError):
        PolysemeEmbedding(target=prompted_server.target, model_name="nonsense").get_query_embedding(QUERY)


def test_copies_embed_alike_and_no_dictionary_has_the_token(closed_server, query):
    connection = {"token": "canaryxyzzy", "timeout": 300}
    embedding = PolysemeEmbedding(target=closed_server.target, connection=connection)
    assert "canaryxyzzy" not in repr(embedding) + embedding.to_json()
    assert pickle.loads(pickle.dumps(embedding)).get_query_embedding(QUERY) == query
    again = PolysemeEmbedding.from_dict(embedding.to_dict(), connection=connection)
    assert again.get_query_embedding(QUERY) == query
