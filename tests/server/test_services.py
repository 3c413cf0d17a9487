"""Similarity, Tokenize and ModelService over a socket."""

import grpc
import numpy as np
import pytest
from tests.server.running import refused, running

from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2

Operand = embedding_service_pb2.Operand
Request = embedding_service_pb2.SimilarityRequest
A, B = ["a cat", "two dogs", "the bank"], ["a dog", "the river", "a cat", "money"]


def operands(texts):
    return [Operand(text=text) for text in texts]


def similarity(server, a=A, b=B, **fields):
    reply = server.embedding.Similarity(Request(a=operands(a), b=operands(b), **fields), timeout=300)
    return np.frombuffer(reply.scores.data, "<f4").reshape(tuple(reply.scores.shape)), reply


def embed(server, texts):
    reply = server.embedding.Embed(embedding_service_pb2.EmbedRequest(texts=texts), timeout=300)
    return np.frombuffer(reply.embeddings.data, "<f4").reshape(tuple(reply.embeddings.shape)).astype(float)


@pytest.mark.parametrize("metric", ["COSINE", "DOT", "EUCLIDEAN", "MANHATTAN"])
def test_similarity_equals_numpy_on_embed(server, metric):
    a, b = embed(server, A), embed(server, B)
    expected = {
        "COSINE": (a @ b.T) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)),
        "DOT": a @ b.T,
        "EUCLIDEAN": np.linalg.norm(a[:, None] - b[None], axis=2),
        "MANHATTAN": np.abs(a[:, None] - b[None]).sum(axis=2),
    }[metric]
    scores, reply = similarity(server, metric=f"METRIC_{metric}")
    np.testing.assert_allclose(scores, expected, atol=1e-5 * max(1, abs(expected).max()))
    assert len(A) + len(B) == len(reply.texts)
    assert reply.timings.total_us


def test_similarity_without_b_compares_a_with_itself(server):
    scores, reply = similarity(server, b=[])
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(scores), 1, atol=1e-6)
    assert len(A) == len(reply.texts)


def test_similarity_pairwise(server):
    matrix, _ = similarity(server, A, B[:3])
    pairs, _ = similarity(server, A, B[:3], mode="SIMILARITY_MODE_PAIRWISE")
    np.testing.assert_allclose(np.diag(matrix), pairs, atol=1e-6)


def test_similarity_top_k(server):
    matrix, _ = similarity(server)
    scores, reply = similarity(server, mode="SIMILARITY_MODE_TOP_K", top_k=2)
    indices = np.array(reply.indices).reshape(3, 2)
    assert indices[0, 0] == 2  # "a cat" is closest to "a cat"
    np.testing.assert_allclose(scores, -np.sort(-matrix, axis=1)[:, :2], atol=1e-6)
    np.testing.assert_allclose(scores, np.take_along_axis(matrix, indices, axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"a": []}, ("a is empty",)),
        ({"a": ["a"] * 40, "b": ["b"] * 40}, ("80 entries", "limit 64")),
        ({"mode": "SIMILARITY_MODE_PAIRWISE"}, ("a has 3", "b has 4")),
        ({"mode": "SIMILARITY_MODE_TOP_K"}, ("top_k: got 0", "1..4")),
        ({"mode": "SIMILARITY_MODE_TOP_K", "top_k": 5}, ("top_k: got 5", "1..4")),
        ({"mode": 77}, ("mode: got 77",)),
        ({"metric": 77}, ("metric: got 77",)),
    ],
)
def test_similarity_refuses(server, fields, words):
    refused(lambda: similarity(server, **fields), grpc.StatusCode.INVALID_ARGUMENT, *words)


def tokenize(server, texts, **fields):
    return server.embedding.Tokenize(embedding_service_pb2.TokenizeRequest(texts=texts, **fields), timeout=300)


def test_tokenize_gives_columns_of_equal_length(minilm_server):
    (text,) = tokenize(minilm_server, ["The embeddings of café."]).texts
    tokens = text.tokens
    assert list(tokens.texts) == ["[CLS]", "the", "em", "##bed", "##ding", "##s", "of", "cafe", ".", "[SEP]"]
    assert list(tokens.starts) == [0, 0, 4, 6, 9, 13, 15, 18, 22, 0]
    assert list(tokens.ends) == [0, 3, 6, 9, 13, 14, 17, 22, 23, 0]
    assert list(tokens.word_ids) == [-1, 0, 1, 1, 1, 1, 2, 3, 4, -1]
    assert [True, *[False] * 8, True] == list(tokens.special)
    assert 10 == len(tokens.ids) == text.info.tokens


@pytest.mark.parametrize(
    ("unit", "encoding", "width"),
    [("CODE_POINT", "utf-32-le", 4), ("UTF8_BYTE", "utf-8", 1), ("UTF16_CODE_UNIT", "utf-16-le", 2)],
)
def test_tokenize_counts_in_the_unit_asked_for(minilm_server, unit, encoding, width):
    text = "Zoë paid 5 € 🙂 at the bank"
    tokens = tokenize(minilm_server, [text], offset_unit=f"OFFSET_UNIT_{unit}").texts[0].tokens
    encoded = text.encode(encoding)
    slices = [
        encoded[start * width : end * width].decode(encoding)
        for start, end in zip(tokens.starts, tokens.ends, strict=True)
    ]
    assert slices[-2:] == ["bank", ""]
    assert "🙂" in slices


def test_tokenize_returns_all_of_a_long_text_unless_told(server):
    limit = server.model.spec.max_tokens
    (text,) = tokenize(server, ["a " * (limit + 10)]).texts
    assert limit + 12 == len(text.tokens.ids) == text.info.tokens
    cut = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END)
    (text,) = tokenize(server, ["a " * (limit + 10)], text_options=cut).texts
    assert limit == len(text.tokens.ids)
    assert text.info.truncated


def test_tokenize_refuses_a_reply_that_does_not_fit(tiny_artifact):
    with running(tiny_artifact, max_message_bytes=20_000) as server:
        assert tokenize(server, ["a " * 300]).texts
        refused(lambda: tokenize(server, ["a " * 300] * 8), grpc.StatusCode.INVALID_ARGUMENT, "limit 20000")


def test_list_models_and_get_model_describe_the_default(server):
    (model,) = server.models.ListModels(model_service_pb2.ListModelsRequest(), timeout=300).models
    assert model == server.models.GetModel(model_service_pb2.GetModelRequest(), timeout=300).model
    spec = server.model.spec
    assert model.is_default
    assert (spec.encoder.hidden_size, spec.encoder.num_hidden_layers, spec.max_tokens, spec.embedding.dimensions) == (
        model.hidden_size,
        model.num_hidden_layers,
        model.max_tokens,
        model.dimensions,
    )
    assert (model.limits.max_texts, model.limits.max_text_bytes) == (64, 4096)
    assert server.model.manifest.sha256 == model.artifact_sha256
    assert (model.similarity, model.features) == (
        embedding_service_pb2.METRIC_COSINE,
        ["text_options.without_prompt"],
    )
    ref = common_pb2.ModelRef(name=model.identity.name, version=model.identity.version)
    assert model == server.models.GetModel(model_service_pb2.GetModelRequest(model=ref), timeout=300).model
