"""What a server speaks: polyseme.v1 always, other contracts where its settings name them, all of them alike."""

import subprocess
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from tests.server.running import refused, running

from polyseme.protocols.kserve import grpc_service_pb2 as kserve
from polyseme.protocols.tei import tei_pb2, tei_pb2_grpc
from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.v1 import embedding_service_pb2 as v1

Code = grpc.StatusCode
KSERVE = kserve.ModelInferRequest(raw_input_contents=[b"\1\0\0\0a"])
KSERVE.inputs.add(name="text", datatype="BYTES", shape=[1])
CALLS = {
    "/tei.v1.Embed/Embed": tei_pb2.EmbedRequest(inputs="a").SerializeToString(),
    "/inference.GRPCInferenceService/ModelInfer": KSERVE.SerializeToString(),
}


def call(server, path, data, metadata=(), timeout=300):
    return server.channel.unary_unary(path)(data, timeout=timeout, metadata=metadata)


@pytest.fixture(scope="module")
def both(tiny_artifact):
    with running(tiny_artifact, protocols="tei,kserve", reflection=True) as server:
        yield server


@pytest.mark.parametrize("path", CALLS)
def test_no_other_contract_is_spoken_by_default(tiny_artifact, path):
    with running(tiny_artifact) as server:
        refused(lambda: call(server, path, CALLS[path]), Code.UNIMPLEMENTED)


def test_a_contract_that_is_not_spoken_is_not_imported():
    program = "import sys, polyseme.server.serving; print(*(name for name in sys.modules if 'polyseme' in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "polyseme.server.wire.v1" in done.stdout.split()
    assert not [name for name in done.stdout.split() if "protocols." in name or name.endswith((".tei", ".kserve"))]


@pytest.mark.parametrize("protocols", ["tei,tgi", "TEI", ",", "tei,"])
def test_a_contract_that_nobody_knows_ends_the_start(protocols):
    with pytest.raises(ConfigError, match="--protocols: got"):
        ServerConfig.from_sources({"protocols": protocols}, {})


def test_methods_that_are_not_here_are_refused_by_a_sentence(both):
    for path in ("/tei.v1.Embed/EmbedSparse", "/tei.v1.Embed/" + "x" * 5000):
        words = "tei.v1.Embed has no such method here; it has: Embed, EmbedAll, EmbedAllStream, EmbedStream"
        refused(lambda path=path: call(both, path, b""), Code.UNIMPLEMENTED, words)
    assert both.metric("polyseme_calls_total", method="tei.v1.Embed/other", code="UNIMPLEMENTED", model="") == 2


@pytest.mark.parametrize("path", CALLS)
def test_calls_are_counted_under_the_name_of_their_contract(both, path):
    labels = {"method": path.removeprefix("/"), "code": "OK", "model": "tiny"}
    before = both.metric("polyseme_calls_total", **labels)
    call(both, path, CALLS[path])
    assert both.metric("polyseme_calls_total", **labels) == before + 1


@pytest.mark.parametrize("path", CALLS)
def test_what_is_no_request_is_invalid(both, path):
    refused(lambda: call(both, path, b"\xff"), Code.INVALID_ARGUMENT, "not valid protobuf")


@pytest.mark.usefixtures("unforeseen")
@pytest.mark.parametrize("path", CALLS)
def test_a_call_without_time_is_refused_by_its_deadline(both, path):
    with both.faults.held():
        waiting = both.channel.unary_unary(path).future(CALLS[path], timeout=0.2)
        assert waiting.code() is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("path", [*CALLS, "/tei.v1.Embed/EmbedSparse"])
def test_strangers_are_refused_and_tokens_let_in(tiny_artifact, tmp_path, path):
    (tmp_path / "tokens").write_text("secret\n")
    with running(tiny_artifact, protocols="tei,kserve", token_file=str(tmp_path / "tokens")) as server:
        refused(lambda: call(server, path, CALLS.get(path, b"")), Code.UNAUTHENTICATED)
        if path in CALLS:
            assert call(server, path, CALLS[path], (("authorization", "Bearer secret"),))


def test_every_service_has_its_health(both):
    health = health_pb2_grpc.HealthStub(both.channel)
    services = (tei_pb2.DESCRIPTOR.services_by_name, kserve.DESCRIPTOR.services_by_name)
    for service in (one for names in services for one in names.values()):
        request = health_pb2.HealthCheckRequest(service=service.full_name)
        assert health.Check(request, timeout=300).status == health_pb2.HealthCheckResponse.SERVING


def reflected(server, **fields):
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    request = reflection_pb2.ServerReflectionRequest(**fields)
    (reply,) = server.channel.stream_stream(path)(iter([request.SerializeToString()]), timeout=300)
    return reflection_pb2.ServerReflectionResponse.FromString(reply)


@pytest.mark.parametrize(
    "symbol",
    ["tei.v1.Embed", "tei.v1.Embed.EmbedAll", "tei.v1.EmbedRequest", "inference.GRPCInferenceService.ModelInfer"],
)
def test_reflection_has_every_contract(both, symbol):
    listed = [one.name for one in reflected(both, list_services="").list_services_response.service]
    assert {"tei.v1.Embed", "inference.GRPCInferenceService", "polyseme.v1.EmbeddingService"} < set(listed)
    reply = reflected(both, file_containing_symbol=symbol).file_descriptor_response
    assert any(symbol.rpartition(".")[2].encode() in file for file in reply.file_descriptor_proto)


@pytest.mark.parametrize(
    ("package", "message", "module"),
    [
        ("tei.v1", "EmbedRequest", "polyseme.protocols.tei.tei_pb2"),
        ("inference", "ModelInferRequest", "polyseme.protocols.kserve.grpc_service_pb2"),
    ],
)
@pytest.mark.parametrize("ours_first", [True, False])
def test_a_client_with_its_own_copy_of_a_contract_lives_beside_ours(package, message, module, ours_first):
    """In one process, in either order: protobuf's default pool takes each name once."""
    theirs = f"""
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="theirs.proto", package="{package}", syntax="proto3")
message = file.message_type.add(name="{message}")
message.field.add(name="other", number=9, type=9, label=1)
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
    ours = f"import {module} as ours; ours.DESCRIPTOR.package"
    program = "\n".join((ours, theirs) if ours_first else (theirs, ours))
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def test_a_server_that_drains_answers_what_it_has_begun_and_refuses_the_rest(tiny_artifact):
    with running(tiny_artifact, protocols="tei") as server:
        embed = tei_pb2_grpc.EmbedStub(server.channel).Embed
        with server.faults.held() as held:
            begun = embed.future(tei_pb2.EmbedRequest(inputs="a"), timeout=300)
            held.wait_for_a_batch()

            async def close():
                server.app._admission.close("draining: the server is about to stop")

            server.on_loop(close())
            refused(lambda: embed(tei_pb2.EmbedRequest(inputs="a"), timeout=300), Code.UNAVAILABLE, "draining")
        assert begun.result(timeout=300).embeddings
        refused(lambda: server.embedding.Embed(v1.EmbedRequest(texts=["a"]), timeout=300), Code.UNAVAILABLE)
