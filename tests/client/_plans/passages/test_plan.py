"""embed_passages against a real server, and against one that lies."""

import asyncio
import re

import numpy as np
import pytest
from tests.server.running import running

from polyseme.client import AsyncClient, Client, InvalidArgumentError, InvalidReplyError, Passage
from polyseme.v1 import model_service_pb2
from polyseme.v1.embedding_service_pb2 import StreamError

SHORT = "a bank. the river, and a bank. no end."
LONG = " ".join(f"number {index} of all of the banks." for index in range(40))


def sentences(text):
    return re.split(r"(?<=[.])\s+", text)


@pytest.fixture(scope="module")
def running_server(tiny_artifact):
    with running(tiny_artifact) as it:
        yield it


@pytest.fixture
def real(running_server):
    with Client(running_server.target) as it:
        yield it


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("passages", [sentences, sentences(SHORT), [(0, 7), (8, 30), (31, 38)]])
def test_passages_of_a_document_that_fits_are_spans_of_it(real, passages):
    found = real.embed_passages(SHORT, passages)
    spans = [(0, 7), (8, 30), (31, 38)]
    words = real.embed_words(SHORT, spans=spans, normalize=real.model().normalizes)
    np.testing.assert_array_equal(found.vectors, words.vectors)
    assert found.spans == tuple(spans)
    assert found.texts == ("a bank.", "the river, and a bank.", "no end.")
    assert found.contexts == ((0, len(SHORT)),) * 3
    assert found.tokens == len(real.tokenize(SHORT))


def test_each_passage_has_its_text_span_vector_and_context(real):
    found = real.embed_passages(SHORT, sentences)
    assert len(found) == len(list(found)) == 3
    assert isinstance(found[-1], Passage)
    assert (found[-1].text, found[-1].span, found[-1].context) == ("no end.", (31, 38), (0, 38))
    for passage, vector in zip(found, found.vectors, strict=True):
        np.testing.assert_array_equal(passage.vector, vector)


@pytest.mark.parametrize("overlap", [None, 0, 60, 10_000])
def test_a_longer_document_is_read_in_windows(real, overlap):
    limit = real.model().max_tokens
    found = real.embed_passages(LONG, sentences, overlap=overlap)
    assert found.tokens > 2 * limit
    assert found.texts == tuple(sentences(LONG))
    assert len(set(found.contexts)) > 2
    for passage in found:
        (start, end), (first, last) = passage.span, passage.context
        assert first <= start < end <= last
        assert len(real.tokenize(LONG[first:last])) <= limit
        alone = real.embed_words(
            LONG[first:last], spans=[(start - first, end - first)], normalize=real.model().normalizes
        )
        np.testing.assert_allclose(passage.vector, alone.vectors[0], atol=1e-5)


def test_a_window_has_tokens_before_its_first_passage(real):
    def before(overlap):
        found = real.embed_passages(LONG, sentences, overlap=overlap)
        firsts = {passage.context: passage.span[0] for passage in reversed(list(found))}
        return [start - first for (first, _), start in sorted(firsts.items())[1:-1]]

    assert set(before(0)) == {0}
    assert min(before(20)) > 10


def test_normalize_is_the_models_unless_asked(real):
    lengths = [
        np.linalg.norm(real.embed_passages(SHORT, sentences, normalize=asked).vectors, axis=1)
        for asked in (True, False, None)
    ]
    np.testing.assert_allclose(lengths[0], 1, atol=1e-5)
    assert not np.allclose(lengths[1], 1, atol=1e-3)
    np.testing.assert_allclose(lengths[2], lengths[0 if real.model().normalizes else 1])


def test_documents_have_passages_of_their_own(real):
    documents = [SHORT, LONG, SHORT]
    by_function = real.embed_passages(documents, sentences)
    by_list = real.embed_passages(documents, [sentences(text) for text in documents])
    for one, other, document in zip(by_function, by_list, documents, strict=True):
        np.testing.assert_array_equal(one.vectors, other.vectors)
        np.testing.assert_allclose(one.vectors, real.embed_passages(document, sentences).vectors, atol=1e-5)


def test_nothing_gives_nothing(real):
    assert real.embed_passages([], sentences) == []
    assert real.embed_passages("", sentences).vectors.shape == (0, 32)
    none, some = real.embed_passages(["", SHORT], [[], [(0, 7)]])
    assert (len(none), len(some)) == (0, 1)


def test_asyncio_gives_the_same(running_server, real):
    async def embedded():
        async with AsyncClient(running_server.target) as client:
            return await client.embed_passages([SHORT, LONG], sentences)

    for one, other in zip(asyncio.run(embedded()), real.embed_passages([SHORT, LONG], sentences), strict=True):
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-5)


@pytest.mark.parametrize(
    ("documents", "passages", "field", "said"),
    [
        (LONG, [(0, 7), (0, len(LONG))], "passages[1]", "tokens; limit 122"),
        ([SHORT, LONG], [[(0, 7)], [(0, len(LONG))]], "passages[1][0]", "tokens; limit 122"),
        ([SHORT, SHORT], [[(0, 7)]], "passages", "1 entries for 2 documents"),
        ([SHORT, "a" * 300_000], sentences, "documents[1]", "300000 bytes"),
        ([SHORT, 3], sentences, "documents[1]", "must be str"),
    ],
)
def test_what_cannot_be_is_refused_by_name(real, documents, passages, field, said):
    with pytest.raises(InvalidArgumentError) as refused:
        real.embed_passages(documents, passages)
    assert refused.value.field == field
    assert field in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("options", [{"overlap": -1}, {"overlap": 1.5}, {"normalize": "yes"}, {"dtype": "binary"}])
def test_wrong_options_are_refused_before_anything_is_sent(client, server, options):
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        client.embed_passages(SHORT, sentences, **options)
    assert not server.faults.calls


def test_an_option_that_is_none_is_a_type_error(client):
    with pytest.raises(TypeError, match="'truncate'"):
        client.embed_passages(SHORT, sentences, truncate="end")


FITS = {"hidden_size": 12, "max_tokens": 100, "limits": model_service_pb2.Limits(max_spans=1000)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pooling": model_service_pb2.POOLING_CLS}, "pools by 'cls'"),
        ({"hidden_size": 24}, "has a layer behind the pooling"),
    ],
)
def test_a_model_whose_vectors_are_no_means_of_tokens_is_refused(client, server, changes, said):
    server.faults.described = FITS | changes
    with pytest.raises(InvalidArgumentError, match=said) as refused:
        client.embed_passages(SHORT, sentences)
    assert refused.value.field == "model"
    assert server.faults.calls == {"GetModel": 1}


def drop_a_span(reply):
    for text in getattr(reply, "texts", ()):
        if hasattr(text, "vectors"):
            del text.spans[-1]
            text.vectors.shape[0] -= 1
            text.vectors.data = text.vectors.data[:-48]
    return reply


def test_a_reply_of_too_few_passages_is_refused(client, server):
    server.faults.described, server.faults.mutate = FITS, drop_a_span
    with pytest.raises(InvalidReplyError, match=r"vectors of shape \[2, 12\]; expected \[3, 12\]"):
        client.embed_passages(SHORT, sentences)


def test_most_spans_of_a_text_are_not_exceeded(client, server):
    server.faults.described = FITS | {"limits": model_service_pb2.Limits(max_spans=2)}
    assert client.embed_passages(SHORT, sentences).texts == tuple(sentences(SHORT))
    (message,) = server.faults.messages
    assert [len(each.spans) for each in message.spans.inputs] == [2, 1]


def test_an_error_names_the_passage_and_brings_the_documents_before_it(client, server):
    server.faults.described = FITS
    long = " ".join(f"sentence {index}." for index in range(60))

    def refuse(sequence, message, context):
        if any("sentence 59" in text.text for text in message.spans.inputs):
            at = f"inputs[{len(message.spans.inputs) - 1}].spans[0]"
            return StreamError(code=3, message=f"{at}: covers no token", field=at)
        return None

    server.faults.on_message = refuse
    with pytest.raises(InvalidArgumentError, match=r": passages\[40\]\[\d+\]: covers no token") as refused:
        client.embed_passages([SHORT] * 40 + [long], sentences)
    index = int(re.fullmatch(r"passages\[40\]\[(\d+)\]", refused.value.field)[1])
    assert 50 <= index < 60
    assert [found.texts for found in refused.value.partial] == [tuple(sentences(SHORT))] * 32
