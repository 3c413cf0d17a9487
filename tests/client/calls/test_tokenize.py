"""tokenize, against a server double."""

import pytest
from tests.client.fake_server import MANY

from polyseme.client import InvalidReplyError


def test_tokenize_gives_columns(client):
    tokenized = client.tokenize("né")
    assert tokenized.tokens == ("[CLS]", "n", "é")
    assert tokenized.ids == (101, ord("n"), ord("é"))
    assert tokenized.offsets == ((0, 0), (0, 1), (1, 2))
    assert tokenized.special == (True, False, False)
    assert tokenized.word_ids == (None, 0, 1)
    assert (len(tokenized), tokenized.info.tokens) == (3, 2)


def test_tokenize_splits_and_keeps_order(client, server):
    texts = MANY[:600]
    assert ["".join(entry.tokens[1:]) for entry in client.tokenize(texts)] == texts
    assert server.faults.calls["Tokenize"] == 3


def test_tokenize_passes_the_offset_unit_on(client, server):
    client.tokenize("a", offset_unit="utf16_code_unit")
    assert server.faults.requests[-1].offset_unit == 3


def test_tokenize_refuses_columns_of_different_lengths(client, server):
    def drop(reply):
        del reply.texts[0].tokens.starts[0]
        return reply

    server.faults.mutate = drop
    with pytest.raises(InvalidReplyError, match="token columns of different lengths"):
        client.tokenize("abc")
