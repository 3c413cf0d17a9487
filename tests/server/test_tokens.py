"""EmbedTokens: which tokens, which layers, joined how, against the session itself."""

import numpy as np
import pytest
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.replies import array
from tests.server.running import CANARY, refused, running
from tests.states import all_states

from polyseme.runtime.batches.padded import collate
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

ALL = {"layers": range(7), "static_embedding": True}
TEXTS = ["We sat on the bank of the river.", "", "state-of-the-art", "naïve café 北京 🙂", "[SEP] stays [MASK]"]


def embed_tokens(server, texts, **fields):
    return server.embedding.EmbedTokens(pb.EmbedTokensRequest(texts=texts, **fields), timeout=300)


def test_every_layer_is_what_the_session_gives(minilm_server):
    reply = embed_tokens(minilm_server, TEXTS, layers=ALL, include_special_tokens=True)
    for text in reply.texts:
        batch = collate([list(text.tokens.ids)], 0)
        expected = all_states(minilm_server.layers_session, batch, 6)[:, 0]
        np.testing.assert_allclose(array(text.vectors), expected, atol=3e-6)
        assert len(text.tokens.ids) == text.info.tokens


def test_special_tokens_come_on_request(minilm_server):
    (without,) = embed_tokens(minilm_server, [TEXTS[0]]).texts
    (with_them,) = embed_tokens(minilm_server, [TEXTS[0]], include_special_tokens=True).texts
    assert list(without.tokens.texts) == ["we", "sat", "on", "the", "bank", "of", "the", "river", "."]
    assert list(with_them.tokens.texts) == ["[CLS]", *without.tokens.texts, "[SEP]"]
    np.testing.assert_array_equal(array(without.vectors), array(with_them.vectors)[1:-1])
    assert without.info.tokens == with_them.info.tokens == 11


def test_special_is_told_from_ids_not_from_where_they_came(minilm_server):
    (text,) = embed_tokens(minilm_server, ["[SEP] stays [MASK]"]).texts
    assert list(text.tokens.texts) == ["stays"], "what is written by hand becomes the special id all the same"
    (text,) = embed_tokens(minilm_server, ["[SEP] stays [MASK]"], include_special_tokens=True).texts
    assert list(text.tokens.texts) == ["[CLS]", "[SEP]", "stays", "[MASK]", "[SEP]"]
    assert list(text.tokens.starts) == [0, 0, 6, 12, 0]


@pytest.mark.parametrize(
    ("selection", "shape", "expected"),
    [
        ({}, (9, 384), lambda s: s[7]),
        ({"layers": [-1]}, (9, 384), lambda s: s[7]),
        ({"layers": [0]}, (9, 384), lambda s: s[1]),
        ({"layers": [-7]}, (9, 384), lambda s: s[1]),
        ({"static_embedding": True}, (9, 384), lambda s: s[0]),
        ({"static_embedding": True, "layers": [2]}, (2, 9, 384), lambda s: s[[0, 3]]),
        ({"layers": [2, 6, 2]}, (3, 9, 384), lambda s: s[[3, 7, 3]]),
        ({"layers": [-4, -3, -2, -1], "combine": "COMBINE_SUM"}, (9, 384), lambda s: s[4:].sum(axis=0)),
        ({"layers": [-4, -3, -2, -1], "combine": "COMBINE_MEAN"}, (9, 384), lambda s: s[4:].mean(axis=0)),
        ({"layers": [1, 1], "combine": "COMBINE_SUM"}, (9, 384), lambda s: 2 * s[2]),
        ({"layers": [6, 1], "combine": "COMBINE_CONCAT"}, (9, 768), lambda s: np.concatenate([s[7], s[2]], axis=1)),
    ],
)
def test_layers_are_joined_as_asked(minilm_server, selection, shape, expected):
    (every,) = embed_tokens(minilm_server, [TEXTS[0]], layers=ALL).texts
    (text,) = embed_tokens(minilm_server, [TEXTS[0]], layers=selection).texts
    assert array(text.vectors).shape == shape
    np.testing.assert_allclose(array(text.vectors), expected(array(every.vectors)), atol=2e-5)


@pytest.mark.parametrize(
    ("unit", "encoding", "width"),
    [("CODE_POINT", "utf-32-le", 4), ("UTF8_BYTE", "utf-8", 1), ("UTF16_CODE_UNIT", "utf-16-le", 2)],
)
def test_offsets_are_in_the_unit_asked_for(minilm_server, unit, encoding, width):
    text = "a 🙂 naïve café 北京!"
    tokens = embed_tokens(minilm_server, [text], offset_unit=f"OFFSET_UNIT_{unit}").texts[0].tokens
    data = text.encode(encoding)
    slices = [data[s * width : e * width].decode(encoding) for s, e in zip(tokens.starts, tokens.ends, strict=True)]
    assert slices == ["a", "🙂", "naïve", "café", "北", "京", "!"]


def test_a_text_without_tokens_of_its_own_has_no_rows(minilm_server):
    reply = embed_tokens(minilm_server, ["", "a", ""], layers=ALL)
    assert [list(text.vectors.shape) for text in reply.texts] == [[8, 0, 384], [8, 1, 384], [8, 0, 384]]


def test_element_types(minilm_server):
    (exact,) = embed_tokens(minilm_server, [TEXTS[0]]).texts
    (half,) = embed_tokens(minilm_server, [TEXTS[0]], dtype="DATA_TYPE_FLOAT16").texts
    np.testing.assert_array_equal(array(half.vectors), array(exact.vectors).astype(np.float16))
    (small,) = embed_tokens(minilm_server, [TEXTS[0]], dtype="DATA_TYPE_INT8", layers={"layers": [1, 2]}).texts
    assert small.vectors.dtype == tensor_pb2.DATA_TYPE_INT8
    assert (len(small.vectors.data), len(small.vectors.scales)) == (2 * 9 * 384, 2 * 9 * 4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"texts": []}, ("texts is empty",)),
        ({"texts": ["a"] * 65}, ("65 entries", "limit 64")),
        ({"texts": ["a", CANARY * 500]}, ("texts[1]", "bytes", "limit 4096")),
        ({"texts": ["a", f"{CANARY} " * 200]}, ("texts[1]", "tokens", "limit 128")),
        ({"texts": ["a", ""], "text_options": {"add_special_tokens": False}}, ("texts[1] has 0 tokens",)),
        ({"layers": {"layers": [0, 3]}}, ("layers.layers[1]: got 3", "-3..2")),
        ({"layers": {"layers": [-4]}}, ("layers.layers[0]: got -4", "-3..2")),
        ({"layers": {"layers": [0] * 65}}, ("65 entries", "limit 64")),
        ({"layers": {"combine": 9}}, ("layers.combine: got 9",)),
        ({"offset_unit": 9}, ("offset_unit: got 9",)),
        ({"dtype": 9}, ("dtype: got 9",)),
    ],
)
def test_refusals(server, fields, words):
    refused(lambda: embed_tokens(server, **{"texts": [CANARY], **fields}), StatusCode.INVALID_ARGUMENT, *words)


def test_a_reply_that_does_not_fit_is_refused_before_anything_is_run(tiny_artifact):
    with running(tiny_artifact, max_message_bytes=20_000) as server:
        texts = ["a b c d"] * 30  # 4 tokens, 32 wide, float32: 512 bytes each, and their columns
        assert len(embed_tokens(server, texts).texts) == 30
        with server.faults.counted() as runs:
            error = refused(
                lambda: embed_tokens(server, texts, layers={"layers": [0, 1, 2]}),
                StatusCode.INVALID_ARGUMENT,
                "StreamEmbed",
            )
        assert "limit 20000" in error.details()
        needed = int(error.details().split("would have ")[1].split()[0])
        assert 30 * 3 * 512 < needed < 30 * 3 * 512 * 1.2
        assert runs == []


def test_kinds_of_work_do_not_mix(minilm_server):
    """Calls of different kinds at once: each gets what it would get alone."""
    texts = [("a b c " * n).strip() for n in (1, 2, 2, 3, 1, 2)]
    asked = [[0], [6], [], [2, 3], [0], [6]]
    alone = [embed_tokens(minilm_server, [t], layers={"layers": s}).texts[0] for t, s in zip(texts, asked, strict=True)]
    for _ in range(10):
        tokens = [
            minilm_server.embedding.EmbedTokens.future(
                pb.EmbedTokensRequest(texts=[t], layers={"layers": s}), timeout=300
            )
            for t, s in zip(texts, asked, strict=True)
        ]
        whole = [minilm_server.embedding.Embed.future(pb.EmbedRequest(texts=[t]), timeout=300) for t in texts]
        for future, expected in zip(tokens, alone, strict=True):
            np.testing.assert_allclose(array(future.result().texts[0].vectors), array(expected.vectors), atol=3e-6)
        for future in whole:
            assert list(future.result().embeddings.shape) == [1, 384]


@settings(max_examples=60)
@given(
    texts=st.lists(st.text("ab c.é🙂", max_size=40), min_size=1, max_size=6),
    layers=st.lists(st.integers(-3, 2), max_size=4),
)
def test_together_is_as_alone(server, texts, layers):
    selection = common_pb2.LayerSelection(layers=layers)
    together = embed_tokens(server, texts, layers=selection).texts
    for text, got in zip(texts, together, strict=True):
        (alone,) = embed_tokens(server, [text], layers=selection).texts
        assert got.tokens == alone.tokens
        np.testing.assert_allclose(array(got.vectors), array(alone.vectors), atol=5e-6)
