"""SDK and server together: the real model over a socket, sync and asyncio."""

import asyncio
import threading

import numpy as np
import pytest
from bench.lib.server import free_port
from tests.server.running import running

from polyseme.client import AsyncClient, Client, InvalidArgumentError, Mention, Word

ROBBER = "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
MONEY, WATER = "I deposited the check at the bank.", "We sat on the bank of the river."


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


@pytest.fixture
def client(server):
    with Client(server.target) as it:
        yield it


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_one_call_for_the_vector_of_a_word(client):
    found = client.embed_words(ROBBER, words=["bank"], layers=(-4, -3, -2, -1))
    vault, robber, river = found.vectors
    assert found.words == ("bank", "bank", "bank")
    assert [ROBBER[start:end] for start, end in found.spans] == ["bank"] * 3
    assert cosine(robber, vault) == pytest.approx(0.9406, abs=1e-3)
    assert cosine(robber, river) == pytest.approx(0.8887, abs=1e-3)
    by_word = client.word_similarity((ROBBER, Word("bank", 2)), (ROBBER, Word("bank", 1)), layers=(-4, -3, -2, -1))
    assert by_word == pytest.approx(cosine(robber, vault), abs=1e-5)


def test_words_spans_and_every_word(client):
    by_span = client.embed_words(WATER, spans=[(14, 18)])
    by_word = client.embed_words(WATER, words="bank")
    every = client.embed_words(WATER)
    np.testing.assert_allclose(by_span.vectors, by_word.vectors, atol=3e-6)
    assert every.words == ("We", "sat", "on", "the", "bank", "of", "the", "river")
    np.testing.assert_allclose(every.vectors[4], by_word.vectors[0], atol=3e-6)


def test_a_passage_has_the_context_of_its_document(client):
    passages = ["Berlin is the capital of Germany.", "Its 3.85 million inhabitants make it the most populous city."]
    found = client.embed_passages(" ".join(passages), passages)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    berlin, alone = client.embed("Berlin"), client.embed(passages)
    assert cosine(berlin, found[1].vector) > cosine(berlin, alone[1]) + 0.1


def test_static_is_one_vector_and_layers_are_many(client):
    money, water = client.embed_words([MONEY, WATER], words=["bank"], layers=("static", *range(7)), combine="none")
    along = [cosine(a, b) for a, b in zip(money.vectors[:, 0], water.vectors[:, 0], strict=True)]
    assert along[0] == pytest.approx(1, abs=1e-6)
    assert along[1] == pytest.approx(0.966, abs=1e-3)
    assert along[-1] == pytest.approx(0.748, abs=1e-3)


def test_tokens_of_long_texts_come_whatever_their_size(client):
    texts = ["word " * 250] * 12
    layers = ("static", *range(7))
    embedded = client.embed_tokens(texts, layers=layers)  # 8 x 250 x 384 floats each: 37 MB in all
    assert {each.vectors.shape for each in embedded} == {(8, 250, 384)}
    one = client.embed_tokens(texts[0], layers=(6,))
    np.testing.assert_allclose(embedded[3].vectors[-1], one.vectors, atol=5e-6)


def test_which_words_are_closest_to_this_one_here(client):
    words = [Mention(WATER, "bank"), Mention(WATER, "sat"), Mention(ROBBER, Word("bank", 1)), "money"]
    scores, indices = client.top_k(Mention(MONEY, "bank"), words, 4)
    assert indices[0] in (0, 2)
    assert indices[-1] in (1, 3)
    assert (np.diff(scores) <= 0).all()


def test_errors_name_the_text_in_the_callers_list(client):
    texts = ["fine"] * 70 + ["too long " * 300] + ["fine"] * 70
    for call in (client.embed, client.embed_tokens, client.embed_words, lambda t: list(client.embed_stream(t))):
        with pytest.raises(InvalidArgumentError, match=r"texts\[70\] has 602 tokens; limit 256") as refused:
            call(texts)
        assert refused.value.field == "texts[70]"


def test_errors_name_the_word_in_the_callers_list(client):
    with pytest.raises(InvalidArgumentError, match=r"texts\[70\]\.words\[1\]: not found$") as refused:
        client.embed_words([WATER] * 70 + [MONEY], words=["the", "river"])
    assert refused.value.field == "texts[70].words[1]"


def test_errors_name_the_operand(client):
    with pytest.raises(InvalidArgumentError, match=r": b\[1\] has 602 tokens") as refused:
        client.similarity(["fine"], ["fine", "too long " * 300])
    assert refused.value.field == "b[1]"


@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_errors_name_an_option_and_end_a_stream(client, on_error):
    for call in (client.embed, lambda *a, **kw: list(client.embed_stream(*a, on_error=on_error, **kw))):
        with pytest.raises(InvalidArgumentError, match=r": dimensions: got 1000; limits 1\.\.384$") as refused:
            call(["fine"] * 3, dimensions=1000)
        assert refused.value.field == "dimensions"


def test_asyncio_is_the_same(server):
    async def main():
        async with AsyncClient(server.target) as client:
            found = await client.embed_words(ROBBER, words=["bank"])
            tokens = await client.embed_tokens([ROBBER, WATER])
            texts = [f"number {i}" for i in range(300)]
            rows = [row async for row in client.embed_stream(texts)]
            return found, tokens, np.stack(rows), await client.embed(texts)

    found, tokens, streamed, listed = asyncio.run(main())
    assert len(found) == 3
    assert [each.vectors.shape for each in tokens] == [(20, 384), (9, 384)]
    np.testing.assert_allclose(streamed, listed, atol=3e-6)


@pytest.mark.parametrize("grace", ["drain", "stop"])
def test_a_stream_outlives_a_restart_of_the_server(tiny_artifact, grace):
    """Every text once and in order, although the server goes away in the middle and another takes its port."""
    port, texts = free_port(), [f"{'a b ' * (i % 7)}c" for i in range(4000)]
    with Client(f"127.0.0.1:{port}") as client:
        rows, halfway, resumed = [], threading.Event(), threading.Event()

        def read():
            for row in client.embed_stream(texts):
                rows.append(row)
                if len(rows) == 1000:
                    halfway.set()
                    assert resumed.wait(300)

        reader = threading.Thread(target=read)
        with running(tiny_artifact, port=port) as server:
            reader.start()
            assert halfway.wait(300)
            if grace == "drain":
                resumed.set()
                server.on_loop(server.app.drain())
        resumed.set()
        with running(tiny_artifact, port=port):
            reader.join(300)
            expected = client.embed(texts)
    np.testing.assert_allclose(np.stack(rows), expected, atol=3e-6)
