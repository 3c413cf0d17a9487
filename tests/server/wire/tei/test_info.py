import pytest
from tests.server.wire.tei.conftest import stubs

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.v1 import model_service_pb2


def test_info_tells_the_default_model_and_the_limits(tei):
    info = tei.info.Info(pb.InfoRequest(), timeout=300)
    (model,) = tei.server.models.ListModels(model_service_pb2.ListModelsRequest(), timeout=300).models
    assert (info.model_id, info.model_sha, info.model_dtype) == ("tiny", model.artifact_sha256, "float32")
    assert (info.max_input_length, info.max_client_batch_size) == (model.max_tokens, 64)
    assert info.model_type == pb.MODEL_TYPE_EMBEDDING
    assert info.max_batch_tokens == tei.server.model.engine.info.policy.max_batch_tokens
    assert not info.HasField("docker_label")
    assert not info.HasField("sha")


@pytest.mark.parametrize(
    ("name", "kind"), [("bert-classification", pb.MODEL_TYPE_CLASSIFIER), ("cross-identity", pb.MODEL_TYPE_RERANKER)]
)
def test_info_tells_what_a_model_can_besides_vectors(serving_head, name, kind):
    with serving_head(name) as server:
        assert stubs(server).info.Info(pb.InfoRequest(), timeout=300).model_type == kind
