"""Replies to embed that break the contract."""

import pytest
from tests.client.fake_server import DIMENSIONS, MANY, identity

from polyseme.client import InvalidReplyError, ModelChangedError
from polyseme.v1 import embedding_service_pb2 as service_pb2


def _rows(reply):
    reply.embeddings.shape[0] += 1
    return reply


def _flat(reply):
    del reply.embeddings.shape[:]
    reply.embeddings.shape.append(DIMENSIONS)
    return reply


def _short(reply):
    reply.embeddings.data = reply.embeddings.data[:-1]
    return reply


def _infos(reply):
    del reply.texts[:]
    return reply


def _empty(reply):
    return service_pb2.EmbedResponse()


@pytest.mark.parametrize("mutate", [_rows, _flat, _short, _infos, _empty])
def test_embed_refuses_a_reply_that_breaks_the_contract(client, server, mutate):
    server.faults.mutate = mutate
    with pytest.raises(InvalidReplyError):
        client.embed(["a"])


def test_embed_refuses_replies_of_different_widths(client, server):
    def narrow(reply):
        if server.faults.calls["Embed"] == 1:
            return reply
        reply.embeddings.shape[1] = DIMENSIONS // 2
        reply.embeddings.data = reply.embeddings.data[: len(reply.embeddings.data) // 2]
        return reply

    server.faults.limits["max_texts"] = 1
    client.model()
    server.faults.mutate = narrow
    with pytest.raises(InvalidReplyError, match=r"of 12 and of 6 elements|of 6 and of 12 elements"):
        client.embed(["a", "b"])


def test_embed_refuses_to_mix_two_models(client, server):
    versions = iter(["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc", "dddddddddddd"])

    def change(reply):
        with server.faults.lock:
            reply.model.CopyFrom(identity(next(versions)))
        return reply

    server.faults.mutate = change
    with pytest.raises(ModelChangedError, match="the model changed from tiny "):
        client.embed(MANY)
