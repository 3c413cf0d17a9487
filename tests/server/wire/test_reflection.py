import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2
from tests.server.running import refused, running

PATH = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
Request = reflection_pb2.ServerReflectionRequest


@pytest.fixture(scope="module")
def reflecting(tiny_artifact):
    with running(tiny_artifact, reflection=True) as server:
        yield server


def ask(server, *frames):
    replies = server.channel.stream_stream(PATH)(iter(frames), timeout=300)
    return [reflection_pb2.ServerReflectionResponse.FromString(reply) for reply in replies]


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05abc", b"\x0a\x02\xc3\x28", b"\x78\x00" * 20_000])
def test_undecodable_requests_are_invalid_and_counted(reflecting, caplog, data):
    labels = {"method": PATH.removeprefix("/"), "code": "INVALID_ARGUMENT", "model": ""}
    count = reflecting.app._metrics.registry.get_sample_value
    before = count("polyseme_calls_total", labels) or 0
    refused(lambda: ask(reflecting, data), grpc.StatusCode.INVALID_ARGUMENT)
    assert count("polyseme_calls_total", labels) == before + 1
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(), grpc.StatusCode.INVALID_ARGUMENT),
        (Request(file_by_filename="../etc/passwd"), grpc.StatusCode.NOT_FOUND),
        (Request(file_containing_symbol=""), grpc.StatusCode.NOT_FOUND),
        (Request(file_containing_symbol="."), grpc.StatusCode.NOT_FOUND),
        (Request(file_containing_symbol="polyseme.v1.EmbeddingService.Nope"), grpc.StatusCode.NOT_FOUND),
        (Request(file_containing_symbol="\0" * 1000), grpc.StatusCode.NOT_FOUND),
        (Request(file_containing_extension={"containing_type": "a.b"}), grpc.StatusCode.NOT_FOUND),
        (
            Request(file_containing_extension={"containing_type": "polyseme.v1.EmbedRequest", "extension_number": -1}),
            grpc.StatusCode.NOT_FOUND,
        ),
        (Request(all_extension_numbers_of_type="a.b"), grpc.StatusCode.NOT_FOUND),
    ],
)
def test_what_is_not_known_is_said_in_a_reply(reflecting, caplog, request_, code):
    (reply,) = ask(reflecting, request_.SerializeToString())
    assert reply.error_response.error_code == code.value[0]
    assert caplog.text == ""


def test_all_services_are_listed(reflecting):
    (reply,) = ask(reflecting, Request(list_services="").SerializeToString())
    assert [service.name for service in reply.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "polyseme.v1.EmbeddingService",
        "polyseme.v1.ModelService",
        "polyseme.v1.PredictionService",
    ]
