"""The prompts of queries and documents, with both clients, and without the libraries that call so."""

import asyncio

import pytest
from tests.integrations.prompted import QUERY, TEXTS

from polyseme.client import Client, ClosedClientError
from polyseme.integrations.embedder import DOCUMENT, Embedder, prompt_for


@pytest.fixture
def embedder(prompted_server):
    return Embedder(prompted_server.target, query_prompt=None, document_prompt=None, options=None)


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({}, None),
        ({"query": "q: "}, None),
        ({"document": ""}, "document"),
        ({"document": "", "passage": "p: ", "corpus": "c: "}, "passage"),
        ({"corpus": "c: ", "document": "d: "}, "document"),
    ],
)
def test_the_first_prompt_that_says_something(prompts, expected):
    assert prompt_for(DOCUMENT, prompts) == expected


def test_both_clients_use_the_prompts_of_the_model(embedder, query, documents):
    async def embed():
        try:
            return await embedder.aembed_queries([QUERY]), await embedder.aembed_documents(TEXTS)
        finally:
            await embedder.aclose()

    assert (embedder.embed_queries([QUERY]), embedder.embed_documents(TEXTS)) == ([query], documents)
    assert embedder.embed_documents([]) == []
    assert asyncio.run(embed()) == ([query], documents)
    embedder.close()
    with pytest.raises(ClosedClientError):
        embedder.embed_queries([QUERY])


def test_options_may_switch_prompts_off(prompted_server):
    embedder = Embedder(
        prompted_server.target, query_prompt=None, document_prompt=None, options={"without_prompt": True}
    )
    with Client(prompted_server.target) as client:
        expected = client.embed(TEXTS, without_prompt=True).tolist()
    assert embedder.embed_documents(TEXTS) == embedder.embed_queries(TEXTS) == expected
