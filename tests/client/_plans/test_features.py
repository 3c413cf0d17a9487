"""Options that an older server would neglect: refused before anything is sent to it, over a real socket."""

import asyncio

import pytest

from polyseme.client import AsyncClient, InvalidArgumentError, UnimplementedError

CALLS = {
    "embed": lambda client, **options: client.embed(["a", "b"], **options),
    "embed of many": lambda client, **options: client.embed(["a"] * 1000, **options),
    "embed_stream": lambda client, **options: list(client.embed_stream(["a", "b"], **options)),
    "embed_tokens": lambda client, **options: client.embed_tokens(["a", "b"], **options),
    "embed_words": lambda client, **options: client.embed_words("a b", words="a", **options),
    "similarity": lambda client, **options: client.similarity("a", "b", **options),
    "similarity_pairwise": lambda client, **options: client.similarity_pairwise(["a"], ["b"], **options),
    "top_k": lambda client, **options: client.top_k("a", ["b", "c"], 1, **options),
    "word_similarity": lambda client, **options: client.word_similarity(("a", "a"), ("b", "b"), **options),
    "tokenize": lambda client, **options: client.tokenize("a", **options),
}


@pytest.fixture(params=CALLS)
def call(request):
    return CALLS[request.param]


def sent(server):
    """The requests that reached the server, GetModel's aside; those of streams without their envelope."""
    unary = [one for one in server.faults.requests if hasattr(one, "text_options")]
    return unary + [getattr(one, one.WhichOneof("request")) for one in server.faults.messages]


def test_without_prompt_is_sent_to_a_server_that_announces_it(client, server, call):
    call(client, without_prompt=True)
    assert sent(server)
    assert all(request.text_options.without_prompt for request in sent(server))
    call(client, without_prompt=True)
    assert server.faults.calls["GetModel"] == 1


def test_without_prompt_is_not_sent_to_a_server_that_does_not(client, server, call):
    server.faults.features = []
    message = r"the server does not announce text_options\.without_prompt; it is older than the SDK$"
    with pytest.raises(UnimplementedError, match=rf"^{server.target}: {message}") as error:
        call(client, without_prompt=True)
    assert (error.value.field, error.value.target) == ("text_options.without_prompt", server.target)
    assert sent(server) == []


@pytest.mark.parametrize("options", [{}, {"without_prompt": False}, {"prompt_name": "query"}, {"prompt_name": ""}])
def test_a_call_that_needs_no_feature_asks_for_none(client, server, options):
    server.faults.features = []
    client.embed("a", **options)
    assert server.faults.calls == {"Embed": 1}


def test_a_server_that_was_replaced_by_a_newer_one_is_asked_again(client, server):
    server.faults.features = []
    with pytest.raises(UnimplementedError):
        client.embed("a", without_prompt=True)
    server.faults.features = ["text_options.without_prompt"]
    client.embed("a", without_prompt=True)
    assert server.faults.calls == {"GetModel": 2, "Embed": 1}


def test_the_async_client_refuses_too(server):
    server.faults.features = []

    async def main():
        async with AsyncClient(server.target) as client:
            await client.embed("a", without_prompt=True)

    with pytest.raises(UnimplementedError, match="does not announce"):
        asyncio.run(main())


def test_a_named_prompt_and_none_at_once_are_refused_unsent(client, server, call):
    with pytest.raises(
        InvalidArgumentError, match=r"^without_prompt and prompt_name are both set; at most one may be$"
    ):
        call(client, without_prompt=True, prompt_name="query")
    assert not server.faults.calls
