"""The model's own metric, asked for once, over a real socket."""

import pytest

from polyseme.client import InvalidArgumentError, ModelChangedError, UnimplementedError
from polyseme.v1 import embedding_service_pb2, model_service_pb2

METRICS = [(1, "cosine"), (2, "dot"), (3, "euclidean"), (4, "manhattan")]


def metrics(server):
    """Of the comparisons that reached the server, by number."""
    return [one.metric for one in server.faults.requests if isinstance(one, embedding_service_pb2.SimilarityRequest)]


@pytest.mark.parametrize(("number", "metric"), METRICS)
def test_the_models_metric_is_the_one_that_the_server_tells(client, server, number, metric):
    server.faults.similarity = number
    assert client.model().similarity == metric
    client.similarity("a", "b", metric="model")
    client.similarity_pairwise(["a"], ["b"], metric="model")
    client.top_k("a", ["b", "c"], 1, metric="model")
    client.word_similarity(("a", "a"), ("b", "b"), metric="model")
    assert metrics(server) == [number] * 4


def test_the_models_metric_is_asked_for_once(client, server):
    for _ in range(3):
        client.similarity("a", "b", metric="model")
    assert server.faults.calls == {"GetModel": 1, "Similarity": 3}


@pytest.mark.parametrize(("number", "metric"), METRICS)
def test_a_metric_that_is_named_asks_for_nothing(client, server, number, metric):
    server.faults.similarity = 2
    client.similarity("a", "b", metric=metric)
    assert (metrics(server), server.faults.calls) == ([number], {"Similarity": 1})


def test_the_metric_is_the_cosine_unless_told(client, server):
    server.faults.similarity = 2
    client.similarity("a", "b")
    assert metrics(server) == [embedding_service_pb2.METRIC_COSINE]


def test_a_server_that_does_not_say_is_refused_unsent(client, server):
    server.faults.similarity = 0
    assert client.model().similarity is None
    message = r"the server does not announce Model\.similarity; it is older than the SDK$"
    with pytest.raises(UnimplementedError, match=f"^{server.target}: {message}"):
        client.similarity("a", "b", metric="model")
    assert metrics(server) == []


def test_a_metric_that_the_sdk_does_not_know_is_refused(client, server):
    server.faults.similarity = 9
    with pytest.raises(InvalidArgumentError, match=r"^metric is '9'; valid: cosine, dot, euclidean, manhattan, model$"):
        client.similarity("a", "b", metric="model")
    assert metrics(server) == []


def replace(server, versions):
    """Let each comparison be answered by another version of the model: (version, metric as it is told after that)."""
    versions = iter(versions)

    def mutate(reply):
        reply.model.version, server.faults.similarity = next(versions)
        server.faults.version = reply.model.version
        return reply

    server.faults.mutate = mutate


def test_a_model_that_was_replaced_is_compared_by_its_own_metric(client, server):
    client.similarity("a", "b", metric="model")
    replace(server, [("new", 2), ("new", 2)])
    client.similarity("a", "b", metric="model")
    assert metrics(server) == [1, 1, 2]


def test_a_model_that_was_replaced_by_one_of_the_same_metric_is_compared_once(client, server):
    client.similarity("a", "b", metric="model")
    replace(server, [("new", 1)])
    client.similarity("a", "b", metric="model")
    assert metrics(server) == [1, 1]


def test_a_model_that_never_stays_is_an_error(client, server):
    replace(server, [("one", 2), ("two", 3)])
    with pytest.raises(ModelChangedError, match="replaced by one of another metric; call again"):
        client.similarity("a", "b", metric="model")


def test_features_and_metric_are_in_the_description(client, server):
    server.faults.features = ["text_options.without_prompt", "something.newer"]
    model = client.model()
    assert model.features == ("text_options.without_prompt", "something.newer")
    assert (model.similarity, client.models()[0]) == ("cosine", model)
    assert model_service_pb2.Model.DESCRIPTOR.fields_by_name["similarity"].number == 18
