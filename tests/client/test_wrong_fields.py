"""Errors name the argument that is wrong, by the caller's count, whether the server says it apart or in words alone."""

import asyncio

import pytest
from tests.client.fake_server import FakeServer

from polyseme.client import AsyncClient, Client, InvalidArgumentError, Mention, Word

TEXTS = [f"text {number}" for number in range(700)]
LONG = [*TEXTS[:600], "x" * 200, *TEXTS[601:]]


@pytest.fixture(params=[True, False], ids=["named apart", "older server"])
def server(request, server: FakeServer) -> FakeServer:
    server.faults.names_fields = request.param
    return server


def _refuse_long(server):
    """Refuse texts of more than 100 bytes, over whichever call they come."""
    server.faults.limits = {"max_texts": 512, "max_text_bytes": 100, "max_message_bytes": 1 << 24}

    def on_message(sequence, message, context):
        texts = message.embed.texts or message.tokens.texts
        long = [index for index, text in enumerate(texts) if len(text) > 100]
        return server.faults.stream_error(f"texts[{long[0]}]", " is too long") if long else None

    server.faults.on_message = on_message


def _pretend_limits_are_unknown(server):
    """Leave it to the calls to be refused: else the SDK finds the text first."""
    server.faults.limits_said = {"max_texts": 512, "max_message_bytes": 1 << 24}


def _refused(call):
    with pytest.raises(InvalidArgumentError) as caught:
        call()
    return caught.value


CALLS = {
    "embed": lambda client, texts: client.embed(texts),
    "tokenize": lambda client, texts: client.tokenize(texts),
    "embed_tokens": lambda client, texts: client.embed_tokens(texts),
    "embed_stream": lambda client, texts: list(client.embed_stream(texts)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_text_is_counted_as_the_caller_passed_it(server, client, call):
    _refuse_long(server)
    _pretend_limits_are_unknown(server)
    error = _refused(lambda: call(client, LONG))
    assert (str(error), error.field) == (f"{server.target}: texts[600] is too long", "texts[600]")


def test_asyncio_is_the_same(server):
    _refuse_long(server)
    _pretend_limits_are_unknown(server)

    async def main():
        async with AsyncClient(server.target) as client:
            await client.embed(LONG)

    error = _refused(lambda: asyncio.run(main()))
    assert (str(error), error.field) == (f"{server.target}: texts[600] is too long", "texts[600]")


@pytest.mark.parametrize("at", [0, 70])
def test_a_word_that_is_not_there(server, client, at):
    texts = [*["the bank"] * at, "nothing"]
    error = _refused(lambda: client.embed_words(texts, words=["bank"]))
    assert (str(error), error.field) == (f"{server.target}: texts[{at}].words[0]: not found", f"texts[{at}].words[0]")


def test_a_stream_gives_the_error_in_place_of_the_vector(server, client):
    _refuse_long(server)
    answers = list(client.embed_stream(LONG, on_error="return"))
    errors = {index: answer for index, answer in enumerate(answers) if isinstance(answer, InvalidArgumentError)}
    assert {index: error.field for index, error in errors.items()} == {600: "texts[600]"}


@pytest.mark.parametrize(("a", "b", "named"), [(["x" * 200], ["y"], "a[0]"), (["x"], ["y", "y" * 200], "b[1]")])
def test_operands_keep_their_names(server, client, a, b, named):
    _refuse_long(server)
    error = _refused(lambda: client.similarity(a, b))
    assert str(error) == f"{server.target}: {named} is too long"
    assert error.field == (named if server.faults.names_fields else None)


ARGUMENTS = [
    (lambda client: client.embed(["a", 3]), "texts[1]"),
    (lambda client: client.embed({"a"}), "texts"),
    (lambda client: client.embed({"a"}), "texts"),
    (lambda client: client.embed("a", dimensions=0), "dimensions"),
    (lambda client: client.embed("a", dtype="int4"), "dtype"),
    (lambda client: client.embed("a", timeout=0), "timeout"),
    (lambda client: client.embed_tokens("a", layers=["x"]), "layers[0]"),
    (lambda client: client.embed_tokens("a", layers=()), "layers"),
    (lambda client: client.embed_words("a", words=[""]), "words[0]"),
    (lambda client: client.embed_words("a", words=[Word("a", -1)]), "words[0].occurrence"),
    (lambda client: client.embed_words("a", words=[Word("a", ignore_case=1)]), "words[0].ignore_case"),
    (lambda client: client.embed_words(["a", "b"], spans=[[(0, 1)], [(1, 0)]]), "spans[1][0]"),
    (lambda client: client.embed_words("a", spans=3), "spans"),
    (lambda client: client.similarity(["a", 3]), "a[1]"),
    (lambda client: client.word_similarity(3, ("a", "b")), "a"),
    (lambda client: client.similarity("a", Mention("b", "")), "b[0].word"),
    (lambda client: client.top_k("a", ["b"], 2), "k"),
    (lambda client: client.embed_stream(["a"], on_error="no"), "on_error"),
    (lambda client: Client("nowhere"), "target"),
    (lambda client: Client("a:1", token="é"), "token"),
    (lambda client: Client("a:1", model=3), "model"),
]


@pytest.mark.parametrize(("call", "field"), ARGUMENTS)
def test_what_is_found_before_the_call_is_named_too(client, server, call, field):
    error = _refused(lambda: call(client))
    assert (error.field, error.code, server.faults.calls) == (field, None, {})
