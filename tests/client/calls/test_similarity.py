"""similarity, similarity_pairwise and top_k, against a server double."""

import numpy as np
import pytest
from tests.client.fake_server import MANY, vector_of, vectors_of

from polyseme.client import InvalidArgumentError, InvalidReplyError


def test_similarity_compares_each_with_each(client):
    a, b = ["x", "y"], ["x", "y", "z"]
    assert np.allclose(client.similarity(a, b), vectors_of(a) @ vectors_of(b).T, atol=1e-6)


def test_similarity_compares_a_list_with_itself(client, server):
    assert np.allclose(client.similarity(["x", "y"]), vectors_of(["x", "y"]) @ vectors_of(["x", "y"]).T, atol=1e-6)
    assert not server.faults.requests[-1].b


@pytest.mark.parametrize(
    ("a", "b", "shape"),
    [("x", "y", ()), ("x", ["y"], (1,)), (["x", "y"], "z", (2,)), (["x"], ["y", "z"], (1, 2)), ("x", None, ())],
)
def test_similarity_drops_the_axis_of_one_str(client, a, b, shape):
    assert client.similarity(a, b).shape == shape


def test_similarity_passes_the_metric_on(client):
    expected = np.linalg.norm(vector_of("x") - vector_of("y"))
    assert client.similarity("x", "y", metric="euclidean") == pytest.approx(expected, abs=1e-6)


def test_similarity_pairwise_compares_row_by_row(client):
    a, b = ["x", "y"], ["y", "z"]
    assert np.allclose(client.similarity_pairwise(a, b), (vectors_of(a) * vectors_of(b)).sum(1), atol=1e-6)


def test_similarity_pairwise_refuses_different_lengths(client):
    with pytest.raises(InvalidArgumentError, match="a has 2 texts and b has 1"):
        client.similarity_pairwise(["x", "y"], ["z"])


def test_top_k_gives_scores_and_indices(client):
    texts = ["a", "b", "c", "d"]
    scores, indices = client.top_k(["c", "a"], texts, 2)
    assert indices[:, 0].tolist() == [2, 0]
    assert np.allclose(scores, np.sort(vectors_of(["c", "a"]) @ vectors_of(texts).T)[:, :1:-1], atol=1e-6)


def test_top_k_drops_the_axis_of_one_query(client):
    scores, indices = client.top_k("b", ["a", "b", "c"], 2)
    assert (scores.shape, indices.shape, indices[0], indices.dtype) == ((2,), (2,), 1, np.int64)


def test_top_k_takes_an_int_of_numpy(client):
    assert client.top_k("b", ["a", "b", "c"], np.int64(2)).scores.shape == (2,)


@pytest.mark.parametrize("k", [0, 4, True, 1.0, None])
def test_top_k_refuses_k(client, k):
    with pytest.raises(InvalidArgumentError, match=r"1 to 3, the number of texts"):
        client.top_k("b", ["a", "b", "c"], k)


def test_top_k_refuses_an_index_out_of_range(client, server):
    def shift(reply):
        reply.indices[0] = 3
        return reply

    server.faults.mutate = shift
    with pytest.raises(InvalidReplyError):
        client.top_k("b", ["a", "b", "c"], 2)


def test_similarity_refuses_what_one_call_cannot_hold(client, server):
    with pytest.raises(InvalidArgumentError, match=r"600 texts; limit 512 \(max_texts\): embed\(\) the texts"):
        client.similarity(MANY[:300], MANY[:300])
    assert server.faults.calls == {"GetModel": 1}


def test_similarity_refuses_a_matrix_over_one_message(client, server):
    server.faults.limits["max_message_bytes"] = 100_000
    with pytest.raises(InvalidArgumentError, match=r"limit 100000 \(max_message_bytes\)"):
        client.similarity(MANY[:200])


@pytest.mark.parametrize(
    ("a", "b", "named"), [(["a", "\udfff"], ["b"], "a[1]"), ("a", ["b", 3], "b[1]"), ("a", [], "b ")]
)
def test_similarity_names_the_operand_that_is_no_text(client, a, b, named):
    with pytest.raises(InvalidArgumentError) as caught:
        client.similarity(a, b)
    assert str(caught.value).startswith(named)


def test_similarity_refuses_scores_of_another_shape(client, server):
    def cut(reply):
        reply.scores.shape[0] -= 1
        reply.scores.data = reply.scores.data[:8]
        return reply

    server.faults.mutate = cut
    with pytest.raises(InvalidReplyError, match=r"shape \[1, 2\]; expected \[2, 2\]"):
        client.similarity(["a", "b"])
