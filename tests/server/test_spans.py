"""EmbedSpans: words in their context, and what is said of spans that cannot be had."""

import numpy as np
import pytest
from grpc import StatusCode
from tests.server.replies import array, spans_request
from tests.server.running import CANARY, refused

from polyseme.v1 import embedding_service_pb2 as pb

ROBBER = "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
LESSON = ("I deposited the check at the bank.", "We sat on the bank of the river.")


def embed_spans(server, request):
    return server.embedding.EmbedSpans(request, timeout=300)


def one(server, text, *words, **fields):
    """The spans of one text and their vectors."""
    (reply,) = embed_spans(server, spans_request(text, *words, **fields)).texts
    return reply.spans, array(reply.vectors)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize(
    ("layers", "vault", "river"), [([-4, -3, -2, -1], 0.9406, 0.8887), ([], 0.9641, 0.9325), ([-1], 0.9641, 0.9325)]
)
def test_the_banks_of_the_robber(minilm_server, layers, vault, river):
    spans, vectors = one(minilm_server, ROBBER, "bank", layers={"layers": layers})
    assert [(span.text, list(span.tokens), span.occurrence) for span in spans] == [
        ("bank", [6], 1),
        ("bank", [10], 2),
        ("bank", [19], 3),
    ]
    assert cosine(vectors[1], vectors[0]) == pytest.approx(vault, abs=1e-4)
    assert cosine(vectors[1], vectors[2]) == pytest.approx(river, abs=1e-4)


def test_the_lesson_one_static_vector_and_two_contextual_ones(minilm_server):
    layers = {"static_embedding": True, "layers": [0, 6], "combine": "COMBINE_NONE"}
    (_, check), (_, river) = (one(minilm_server, text, "bank", layers=layers) for text in LESSON)
    np.testing.assert_array_equal(check[0], river[0])
    assert cosine(check[1, 0], river[1, 0]) == pytest.approx(0.966, abs=1e-3)
    assert cosine(check[2, 0], river[2, 0]) == pytest.approx(0.748, abs=1e-3)


def test_without_queries_every_word_has_a_vector(minilm_server):
    spans, vectors = one(minilm_server, "We can't sit—the state-of-the-art 3.14 café!")
    words = ["We", "can't", "sit", "the", "state", "of", "the", "art", "3.14", "café"]
    assert [span.text for span in spans] == words
    assert [span.query for span in spans] == list(range(10))
    assert vectors.shape == (10, 384)


def test_a_text_without_a_word_has_no_vectors(minilm_server):
    for text in ("", "...", " \t"):
        spans, vectors = one(minilm_server, text)
        assert (len(spans), vectors.shape) == (0, (0, 384))


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("FIRST", lambda t: t[0]),
        ("LAST", lambda t: t[-1]),
        ("FIRST_LAST", lambda t: (t[0] + t[-1]) / 2),
        ("MEAN", lambda t: t.mean(axis=0)),
        ("UNSPECIFIED", lambda t: t.mean(axis=0)),
    ],
)
def test_subtokens_are_pooled_as_asked(minilm_server, pooling, expected):
    text = "The embeddings of unbelievable words."
    request = pb.EmbedTokensRequest(texts=[text], include_special_tokens=True)
    tokens = array(minilm_server.embedding.EmbedTokens(request, timeout=300).texts[0].vectors)
    spans, vectors = one(minilm_server, text, "embeddings", subtokens=f"SUBTOKEN_POOLING_{pooling}")
    assert list(spans[0].tokens) == [2, 3, 4, 5]
    np.testing.assert_allclose(vectors[0], expected(tokens[2:6]), atol=1e-5)


def test_layers_kept_apart_concatenated_normalized(minilm_server):
    layers = {"layers": [1, 6]}
    _, apart = one(minilm_server, ROBBER, "bank", layers={**layers, "combine": "COMBINE_NONE"})
    _, wide = one(minilm_server, ROBBER, "bank", layers={**layers, "combine": "COMBINE_CONCAT"})
    _, unit = one(minilm_server, ROBBER, "bank", layers={**layers, "combine": "COMBINE_NONE"}, normalize=True)
    assert apart.shape == (2, 3, 384)
    np.testing.assert_allclose(wide, np.concatenate(apart, axis=1), atol=1e-6)
    np.testing.assert_allclose(unit, apart / np.linalg.norm(apart, axis=2, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(
    ("unit", "start", "end"), [("CODE_POINT", 7, 11), ("UTF8_BYTE", 13, 17), ("UTF16_CODE_UNIT", 8, 12)]
)
def test_spans_in_each_offset_unit(minilm_server, unit, start, end):
    text = "né 🙂 — bank"[0:2] + " 🙂 — bank"
    assert text[7:11] == "bank"
    request = pb.EmbedSpansRequest(
        inputs=[pb.SpanInput(text=text, spans=[{"start": start, "end": end}], words=[{"text": "bank"}])],
        offset_unit=f"OFFSET_UNIT_{unit}",
    )
    (reply,) = embed_spans(minilm_server, request).texts
    by_span, by_word = reply.spans
    assert (by_span.span.start, by_span.span.end, by_span.text) == (start, end, "bank")
    assert (by_word.span, by_word.tokens) == (by_span.span, by_span.tokens)
    assert (by_span.query, by_span.occurrence, by_word.query, by_word.occurrence) == (0, 0, 1, 1)


def test_several_texts_and_queries_keep_their_order(minilm_server):
    inputs = [
        pb.SpanInput(text=LESSON[1], words=[{"text": "river"}, {"text": "the"}], spans=[{"start": 0, "end": 2}]),
        pb.SpanInput(text=LESSON[0], words=[{"text": "BANK", "ignore_case": True}]),
    ]
    first, second = embed_spans(minilm_server, pb.EmbedSpansRequest(inputs=inputs)).texts
    assert [span.text for span in first.spans] == ["We", "river", "the", "the"]
    assert [(span.query, span.occurrence) for span in first.spans] == [(0, 0), (1, 1), (2, 1), (2, 2)]
    assert [span.text for span in second.spans] == ["bank"]


def test_what_truncation_does_to_spans(server):
    text = "a " * 200 + "b"
    options = {"truncate": "TRUNCATE_END"}
    request = pb.EmbedSpansRequest(
        inputs=[pb.SpanInput(text=text, spans=[{"start": 250, "end": 254}])], text_options=options
    )
    (reply,) = embed_spans(server, request).texts
    assert reply.spans[0].truncated
    assert list(reply.spans[0].tokens) == [126]
    assert (reply.info.tokens, reply.info.original_tokens) == (128, 203)
    request.inputs[0].spans[0].start = 300
    request.inputs[0].spans[0].end = 301
    refused(lambda: embed_spans(server, request), StatusCode.INVALID_ARGUMENT, "inputs[0].spans[0]", "truncation")


@pytest.mark.parametrize(
    ("spans", "words", "unit", "message"),
    [
        ([(3, 3)], [], 1, ("inputs[1].spans[0]", "not empty")),
        ([(4, 3)], [], 1, ("inputs[1].spans[0]", "4", "3")),
        ([(0, 1), (0, 99)], [], 1, ("inputs[1].spans[1]", "99", "beyond the end")),
        ([(1, 2)], [], 2, ("inputs[1].spans[0]", "inside a code point")),
        ([(3, 5)], [], 3, ("inputs[1].spans[0]", "inside a code point")),
        ([(1, 2)], [], 1, ("inputs[1].spans[0]", "no token")),
        ([], ["zebra"], 1, ("inputs[1].words[0]", "not found")),
        ([(0, 1)], ["a", "zebra"], 1, ("inputs[1].words[1]", "not found")),
        ([], [""], 1, ("inputs[1].words[0]",)),
        ([], ["x" * 1025], 1, ("inputs[1].words[0]", "1025", "at most 1024")),
        ([(0, 1)] * 2000, [], 1, ("inputs[1]", "2000", "limit 1024")),
    ],
)
def test_refusals_name_text_and_span(server, spans, words, unit, message):
    bad = pb.SpanInput(
        text="é 🙂 a " + CANARY,
        spans=[{"start": start, "end": end} for start, end in spans],
        words=[{"text": word} for word in words],
    )
    request = pb.EmbedSpansRequest(inputs=[pb.SpanInput(text="fine"), bad], offset_unit=unit)
    refused(lambda: embed_spans(server, request), StatusCode.INVALID_ARGUMENT, *message)


def test_refuses_spans_that_repeat_a_text_too_often(minilm_server):
    text = "ab" * 20_000  # one unknown word
    spans = [{"start": 0, "end": 40_000}] * 30
    request = pb.EmbedSpansRequest(inputs=[pb.SpanInput(text=text, spans=spans)])
    refused(
        lambda: embed_spans(minilm_server, request),
        StatusCode.INVALID_ARGUMENT,
        "inputs[0]",
        "1200000",
        "limit 1048576",
    )


def test_one_text_that_is_not_finite_fails_alone(server):
    def poisoned(run, graph, batch, *rest):
        (vectors,) = run(graph, batch, *rest)
        vectors[:, batch.lengths == 20] = np.nan
        return [vectors]

    with server.faults.put(poisoned):
        lengths = [17, 18, 20, 18, 17] * 4
        futures = [server.embedding.EmbedSpans.future(spans_request("a " * (n - 2)), timeout=300) for n in lengths]
        codes = [future.code() for future in futures]
    assert [StatusCode.INTERNAL if n == 20 else StatusCode.OK for n in lengths] == codes


def test_spans_that_are_too_many_at_once_are_pooled_in_parts(server, monkeypatch):
    texts = [f"{'a ' * n}bank by the river" for n in range(1, 9)]
    request = pb.EmbedSpansRequest(inputs=[pb.SpanInput(text=text) for text in texts])
    whole = [array(text.vectors) for text in embed_spans(server, request).texts]
    with monkeypatch.context() as patch, server.faults.counted() as runs:
        patch.setattr("polyseme.runtime.tasks.layers._MOST_GROUPED", 1)
        parts = [array(text.vectors) for text in embed_spans(server, request).texts]
    assert [len(lengths) for lengths in runs] == [1] * len(texts)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_dtype_and_identity_and_timings(minilm_server):
    reply = embed_spans(minilm_server, spans_request(ROBBER, "bank", dtype="DATA_TYPE_FLOAT16"))
    exact = embed_spans(minilm_server, spans_request(ROBBER, "bank"))
    np.testing.assert_array_equal(array(reply.texts[0].vectors), array(exact.texts[0].vectors).astype(np.float16))
    assert reply.model.name == "all-MiniLM-L6-v2"
    assert 0 < reply.timings.run_us <= reply.timings.total_us
