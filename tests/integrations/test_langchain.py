"""LangChain embeds with a Polyseme server: `make test-integrations`."""

import asyncio
import pickle

import pytest
from tests.integrations.prompted import QUERY, TEXTS, by_sdk

from polyseme.client import InvalidArgumentError, UnauthenticatedError

pytest.importorskip("langchain_core", reason="make test-integrations brings it")
from langchain_core.vectorstores import InMemoryVectorStore

from polyseme.integrations.langchain import PolysemeEmbeddings

pytestmark = [pytest.mark.integrations, pytest.mark.library("langchain-core")]


@pytest.fixture(scope="module")
def embeddings(prompted_server):
    return PolysemeEmbeddings(prompted_server.target)


def test_queries_and_documents_have_their_prompts(embeddings, query, documents):
    assert embeddings.embed_query(QUERY) == query
    assert embeddings.embed_documents(TEXTS) == documents
    assert embeddings.embed_documents([]) == []


def test_async_in_one_event_loop_after_another(embeddings, query, documents):
    assert asyncio.run(embeddings.aembed_query(QUERY)) == query
    assert asyncio.run(embeddings.aembed_documents(TEXTS)) == documents
    assert asyncio.run(embeddings.aembed_documents([])) == []


def test_prompts_and_options_of_the_caller(prompted_server):
    embeddings = PolysemeEmbeddings(
        prompted_server.target, query_prompt="passage", document_prompt="query", options={"dimensions": 8}
    )
    assert len(embeddings.embed_query(QUERY)) == 8
    whole = PolysemeEmbeddings(prompted_server.target, query_prompt="passage", document_prompt="query")
    assert whole.embed_query(QUERY) == by_sdk(prompted_server, QUERY, "passage")
    assert whole.embed_documents(TEXTS) == by_sdk(prompted_server, TEXTS, "query")


def test_errors_are_those_of_the_sdk(prompted_server):
    with pytest.raises(InvalidArgumentError, match="has no prompt of that name"):
        PolysemeEmbeddings(prompted_server.target, query_prompt="nonsense").embed_query(QUERY)


def test_a_vector_store_finds_a_document_again(embeddings):
    store = InMemoryVectorStore.from_texts(TEXTS, embeddings)
    assert [found.page_content for found in store.similarity_search(TEXTS[2], k=3)].count(TEXTS[2]) == 1


def test_a_pickle_has_no_token(closed_server, monkeypatch):
    embeddings = PolysemeEmbeddings(closed_server.target, token="canaryxyzzy")
    data = pickle.dumps(embeddings)
    assert b"canaryxyzzy" not in data
    monkeypatch.setenv("POLYSEME_TOKEN", "other")
    with pytest.raises(UnauthenticatedError):
        pickle.loads(data).embed_query(QUERY)
    monkeypatch.setenv("POLYSEME_TOKEN", "canaryxyzzy")
    assert pickle.loads(data).embed_query(QUERY) == embeddings.embed_query(QUERY)
