import numpy as np
import pytest

from polyseme.v1 import common_pb2, embedding_service_pb2, tensor_pb2

Request = embedding_service_pb2.EmbedRequest
TEXTS = ["a cat", "", "the quick brown fox jumps over the lazy dog " * 3, "Ünïcödé 🙂 text", "a cat"]


def array(tensor, dtype="<f4"):
    return np.frombuffer(tensor.data, dtype).reshape(tuple(tensor.shape))


def embed(server, texts=TEXTS, **fields):
    fields.setdefault("text_options", common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END))
    return server.embedding.Embed(Request(texts=texts, **fields), timeout=300)


def vectors(server, **fields):
    return array(embed(server, **fields).embeddings)


def test_embed_keeps_order_and_shape(server):
    reply = embed(server)
    both = array(reply.embeddings)
    assert (5, server.model.spec.embedding.dimensions) == both.shape
    np.testing.assert_array_equal(both[0], both[4])
    assert len(reply.texts) == 5
    assert reply.embeddings.dtype == tensor_pb2.DATA_TYPE_FLOAT32


def test_embed_alone_equals_batched(server):
    together = vectors(server)
    alone = np.concatenate([vectors(server, texts=[text]) for text in TEXTS])
    # float32 sums in another order where rows are padded: a few units in the last place.
    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_embed_normalize(server):
    raw, unit = vectors(server, normalize=False), vectors(server, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), unit, atol=1e-6)
    assert not np.allclose(np.linalg.norm(raw, axis=1), 1, atol=1e-3)


def test_embed_normalize_defaults_to_the_models_own(minilm_server):
    np.testing.assert_allclose(np.linalg.norm(vectors(minilm_server), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
def test_embed_dimensions_cuts_and_scales_again(server, normalize):
    whole, cut = vectors(server, normalize=normalize), vectors(server, normalize=normalize, dimensions=7)
    expected = whole[:, :7]
    if normalize:
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(cut, expected, atol=1e-6)


def test_embed_wire_types(server):
    exact = vectors(server, normalize=True)
    half = embed(server, normalize=True, dtype=tensor_pb2.DATA_TYPE_FLOAT16).embeddings
    np.testing.assert_array_equal(exact.astype(np.float16), array(half, "<f2"))
    brain = array(embed(server, normalize=True, dtype=tensor_pb2.DATA_TYPE_BFLOAT16).embeddings, "<u2")
    np.testing.assert_allclose((brain.astype("<u4") << 16).view("<f4"), exact, rtol=2**-8)
    eight = embed(server, normalize=True, dtype=tensor_pb2.DATA_TYPE_INT8).embeddings
    scales = np.frombuffer(eight.scales, "<f4")[:, None]
    np.testing.assert_allclose(array(eight, np.int8) * scales, exact, atol=scales.max())
    bits = embed(server, normalize=True, dtype=tensor_pb2.DATA_TYPE_BINARY).embeddings
    assert list(exact.shape) == list(bits.shape)
    assert np.packbits(exact > 0, axis=-1).tobytes() == bits.data


def test_embed_reports_token_counts(server):
    limit = server.model.spec.max_tokens
    reply = embed(server, texts=["a", "a " * (limit + 100)])
    short, long = reply.texts
    assert (short.tokens, short.original_tokens, short.truncated) == (3, 3, False)
    assert (limit, limit + 102, True) == (long.tokens, long.original_tokens, long.truncated)


@pytest.mark.parametrize("extra", [-1, 0])
def test_embed_at_the_limit_is_not_truncated(server, extra):
    words = server.model.spec.max_tokens - 2 + extra
    (info,) = embed(server, texts=["a " * words], text_options=None).texts
    assert (words + 2, False) == (info.tokens, info.truncated)


def test_embed_truncates_at_the_side_asked_for(server):
    limit = server.model.spec.max_tokens
    long = "b " + "a " * limit + "c"
    start = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_START)
    np.testing.assert_allclose(
        vectors(server, texts=[long]), vectors(server, texts=["b " + "a " * (limit - 3)]), atol=1e-6
    )
    np.testing.assert_allclose(
        vectors(server, texts=[long], text_options=start),
        vectors(server, texts=["a " * (limit - 3) + "c"], text_options=start),
        atol=1e-6,
    )


def test_embed_without_special_tokens(server):
    options = common_pb2.TextOptions(add_special_tokens=False)
    assert embed(server, texts=["a"], text_options=options).texts[0].tokens == 1


def test_embed_says_who_answered_and_how_long_it_took(server):
    reply = embed(server)
    assert server.model.manifest.name == reply.model.name
    assert server.model.manifest.version == reply.model.version
    assert reply.model.execution_provider == "CPUExecutionProvider"
    assert 0 < reply.timings.run_us <= reply.timings.total_us


def test_embed_bulk_priority_gives_the_same(server):
    np.testing.assert_allclose(vectors(server), vectors(server, priority=common_pb2.PRIORITY_BULK), atol=1e-6)


def test_embed_answers_many_callers_at_once(server):
    texts = [f"caller {i} says {'word ' * (i % 20)}" for i in range(200)]
    futures = [server.embedding.Embed.future(Request(texts=[text]), timeout=300) for text in texts]
    together = np.concatenate([array(future.result().embeddings) for future in futures])
    alone = np.concatenate([vectors(server, texts=texts[i : i + 50]) for i in range(0, 200, 50)])
    np.testing.assert_allclose(together, alone, atol=2e-6)
