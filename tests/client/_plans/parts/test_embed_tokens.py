"""embed_tokens: what it gives, and the options that it takes and refuses."""

import numpy as np
import pytest
from tests.client.fake_context import token_vectors

from polyseme.client import InvalidArgumentError


def test_embed_tokens_gives_columns_and_vectors(either, server):
    embedded = either.embed_tokens("né")
    assert (embedded.tokens, embedded.ids, len(embedded)) == (("n", "é"), (ord("n"), ord("é")), 2)
    assert (embedded.offsets, embedded.word_ids) == (((0, 1), (1, 2)), (0, 1))
    assert np.array_equal(embedded.vectors, token_vectors("né", [2])[0])
    assert embedded.info.tokens == 2
    assert server.faults.calls == {"EmbedTokens": 1}


@pytest.mark.parametrize(
    ("layers", "combine", "shape"),
    [
        (-1, "none", (4, 12)),
        ("static", "none", (4, 12)),
        (("static", 0, 2), "none", (3, 4, 12)),
        ([0, 1], "concat", (4, 24)),
        ([0, 1], "mean", (4, 12)),
        (np.int64(1), "none", (4, 12)),
        (range(3), "none", (3, 4, 12)),
    ],
)
def test_embed_tokens_takes_layers(client, server, layers, combine, shape):
    assert client.embed_tokens("bank", layers=layers, combine=combine).vectors.shape == shape


def test_embed_tokens_puts_the_static_embedding_first(client):
    vectors = client.embed_tokens("bank", layers=["static", 1]).vectors
    assert np.array_equal(vectors, token_vectors("bank", ["static", 1]))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([0, "static"], r"^layers\[1\] is 'static'; it is valid as the first entry alone, once$"),
        (["static", "static"], r"^layers\[1\] is 'static'"),
        ([], r"^layers has 0 entries; 1 to 64 are valid$"),
        ([0] * 65, r"^layers has 65 entries"),
        ([True], r"^layers\[0\] must be an int or 'static', got bool$"),
        ([1.5], r"^layers\[0\] must be an int or 'static', got float$"),
        ("last", r"^layers\[0\] must be an int or 'static', got str$"),
        ([1 << 40], r"^layers\[0\] is no layer"),
        ({1, 2}, r"^layers must be an int, 'static' or a sequence of them, got set$"),
        (None, r"^layers must be an int"),
    ],
)
def test_embed_tokens_refuses_layers(client, server, layers, message):
    with pytest.raises(InvalidArgumentError, match=message):
        client.embed_tokens("bank", layers=layers)
    assert not server.faults.calls


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "binary"},
        {"dtype": "float64"},
        {"combine": "max"},
        {"offset_unit": "byte"},
        {"include_special_tokens": "yes"},
        {"priority": "high"},
    ],
)
def test_embed_tokens_refuses(client, options):
    with pytest.raises(InvalidArgumentError):
        client.embed_tokens("bank", **options)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-11), ("bfloat16", 0), ("int8", 1 / 250)])
def test_embed_tokens_widens_what_travels_narrow(client, dtype, tolerance):
    vectors = client.embed_tokens("bank", dtype=dtype).vectors
    assert vectors.dtype == np.float32
    assert np.abs(vectors - token_vectors("bank", [2])[0]).max() <= tolerance
