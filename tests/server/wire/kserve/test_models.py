"""What KServe's protocol tells of the server and its models."""

import grpc
import pytest
from tests.server.running import refused, running

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.protocols.kserve import grpc_service_pb2_grpc


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact, protocols="kserve", max_texts=64) as it:
        it.kserve = grpc_service_pb2_grpc.GRPCInferenceServiceStub(it.channel)
        yield it


def test_the_server_tells_its_name(server):
    metadata = server.kserve.ServerMetadata(pb.ServerMetadataRequest(), timeout=300)
    assert (metadata.name, list(metadata.extensions)) == ("polyseme", ["model_configuration"])
    assert metadata.version


def test_a_model_tells_its_tensors(server):
    metadata = server.kserve.ModelMetadata(pb.ModelMetadataRequest(name="tiny"), timeout=300)
    assert (metadata.name, list(metadata.versions)) == ("tiny", [server.model.version])
    assert [(one.name, one.datatype, list(one.shape)) for one in metadata.inputs] == [("text", "BYTES", [-1, 1])]
    assert [(one.name, one.datatype, list(one.shape)) for one in metadata.outputs] == [
        ("embedding", "FP32", [-1, 32]),
        ("tokens", "UINT32", [-1]),
        ("truncated", "BOOL", [-1]),
    ]


def test_a_model_tells_its_configuration(server):
    config = server.kserve.ModelConfig(pb.ModelConfigRequest(name="tiny"), timeout=300).config
    assert (config.name, config.max_batch_size) == ("tiny", 64)
    assert [one.name for one in config.input] == ["text"]
    first = config.output[0]
    assert (first.name, first.data_type, list(first.dims)) == ("embedding", pb.TYPE_FP32, [32])


def test_the_models_are_listed(server):
    (model,) = server.kserve.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=300).models
    assert (model.name, model.version, model.state) == ("tiny", server.model.version, "READY")


@pytest.mark.parametrize(("name", "version", "ready"), [("tiny", "", True), ("tiny", "0", False), ("nope", "", False)])
def test_a_model_that_is_served_is_ready(server, name, version, ready):
    request = pb.ModelReadyRequest(name=name, version=version)
    assert server.kserve.ModelReady(request, timeout=300).ready is ready


def test_another_model_is_not_found(server):
    for method, request in (
        (server.kserve.ModelMetadata, pb.ModelMetadataRequest(name="nope")),
        (server.kserve.ModelConfig, pb.ModelConfigRequest(name="nope")),
    ):
        refused(lambda: method(request, timeout=300), grpc.StatusCode.NOT_FOUND, "there are: tiny")  # noqa: B023


def test_probes_need_no_token_and_tell_when_a_server_drains(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("secret\n")
    with running(tiny_artifact, protocols="kserve", token_file=str(tmp_path / "tokens")) as server:
        stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(server.channel)
        assert stub.ServerLive(pb.ServerLiveRequest(), timeout=300).live
        assert stub.ServerReady(pb.ServerReadyRequest(), timeout=300).ready
        call = lambda: stub.ModelReady(pb.ModelReadyRequest(name="tiny"), timeout=300)  # noqa: E731
        refused(call, grpc.StatusCode.UNAUTHENTICATED)

        async def drain():
            server.app._listener.set_ready(False)
            server.app._admission.close("draining")

        server.on_loop(drain())
        assert stub.ServerLive(pb.ServerLiveRequest(), timeout=300).live
        assert not stub.ServerReady(pb.ServerReadyRequest(), timeout=300).ready
