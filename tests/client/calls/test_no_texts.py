"""An empty list: answered without a call."""

import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS

from polyseme.client import InvalidArgumentError


@pytest.mark.parametrize(
    ("options", "shape", "dtype"),
    [
        ({}, (0, DIMENSIONS), np.float32),
        ({"dimensions": 5}, (0, 5), np.float32),
        ({"dtype": "int8"}, (0, DIMENSIONS), np.float32),
        ({"dtype": "binary"}, (0, 2), np.uint8),
    ],
)
def test_no_texts_have_no_vectors_of_the_width_of_the_model(server, client, options, shape, dtype):
    result = client.embed_detailed([], **options)
    assert (result.embeddings.shape, result.embeddings.dtype, result.texts) == (shape, dtype, ())
    assert result.model == client.embed_detailed("a").model
    assert server.faults.calls["Embed"] == 1


def test_no_texts_are_checked_as_others_are(client):
    with pytest.raises(InvalidArgumentError, match=r"^dimensions is 13; limit 12$"):
        client.embed([], dimensions=13)
    with pytest.raises(InvalidArgumentError, match=r"^normalize must be True or False, got str$"):
        client.embed([], normalize="yes")


def test_no_texts_have_no_tokens_and_no_words(server, client):
    assert client.tokenize([]) == client.embed_tokens([]) == client.embed_words([], words=["a"]) == []
    assert server.faults.calls.total() == 0
