import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st
from tests.client.trailers import bad_request, status_details

from polyseme import client as sdk
from polyseme.client._transport.status import error_from_status, error_from_stream
from polyseme.v1.embedding_service_pb2 import StreamError

EXPECTED = {
    grpc.StatusCode.INVALID_ARGUMENT: sdk.InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: sdk.NotFoundError,
    grpc.StatusCode.UNAUTHENTICATED: sdk.UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: sdk.PermissionDeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: sdk.ResourceExhaustedError,
    grpc.StatusCode.UNAVAILABLE: sdk.UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: sdk.DeadlineExceededError,
    grpc.StatusCode.CANCELLED: sdk.CancelledError,
    grpc.StatusCode.UNIMPLEMENTED: sdk.UnimplementedError,
    grpc.StatusCode.INTERNAL: sdk.InternalError,
    grpc.StatusCode.UNKNOWN: sdk.InternalError,
    grpc.StatusCode.DATA_LOSS: sdk.InternalError,
}


def _failure(code: grpc.StatusCode, details: str = "why", **trailers: object) -> AioRpcError:
    metadata = Metadata(*((key.replace("_", "-"), value) for key, value in trailers.items()))  # type: ignore[arg-type]
    return AioRpcError(code, Metadata(), metadata, details)


@pytest.mark.parametrize(("code", "kind"), EXPECTED.items(), ids=[code.name for code in EXPECTED])
def test_error_from_status_gives_the_type_of_the_code(code, kind):
    error = error_from_status(_failure(code), "host:1")
    assert (type(error), error.code, error.target) == (kind, code, "host:1")


@given(st.sampled_from(list(grpc.StatusCode)), st.text())
def test_error_from_status_always_names_target_and_details(code, details):
    error = error_from_status(_failure(code, details), "host:1")
    assert isinstance(error, sdk.PolysemeError)
    assert str(error).startswith("host:1: ")
    assert details.strip() in str(error)


def test_error_from_status_names_a_code_that_has_no_type():
    assert str(error_from_status(_failure(grpc.StatusCode.UNKNOWN), "host:1")) == "host:1: UNKNOWN why"


@pytest.mark.parametrize("side", ["CLIENT", "SERVER"])
def test_error_from_status_tells_too_large_from_full(side):
    details = f"{side}: Received message larger than max (100 vs. 10)"
    error = error_from_status(_failure(grpc.StatusCode.RESOURCE_EXHAUSTED, details), "host:1")
    assert type(error) is sdk.MessageTooLargeError


def test_error_from_status_tells_a_reply_that_was_cut_from_a_fault_of_the_server():
    cut = error_from_status(
        _failure(grpc.StatusCode.INTERNAL, "Stream removed (Received RST_STREAM with error code 2)"), "host:1"
    )
    assert (type(cut), cut.code) == (sdk.UnavailableError, grpc.StatusCode.INTERNAL)


def test_error_from_status_carries_retry_after():
    failure = _failure(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc_retry_pushback_ms="1500")
    error = error_from_status(failure, "host:1")
    assert isinstance(error, sdk.ResourceExhaustedError)
    assert error.retry_after == 1.5


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL])
def test_error_from_status_names_the_field(code):
    ((name, details),) = status_details(bad_request("texts[3]"))
    failure = AioRpcError(code, Metadata(), Metadata((name, details)), "texts[3] has 913 tokens")
    error = error_from_status(failure, "host:1")
    assert (str(error), error.field) == ("host:1: texts[3] has 913 tokens", "texts[3]")


@given(st.binary(max_size=80))
def test_error_from_status_is_never_hidden_by_its_trailers(details):
    metadata = Metadata(("grpc-status-details-bin", details))
    failure = AioRpcError(grpc.StatusCode.INVALID_ARGUMENT, Metadata(), metadata, "texts[3] has 913 tokens")
    error = error_from_status(failure, "host:1")
    assert (type(error), str(error)) == (sdk.InvalidArgumentError, "host:1: texts[3] has 913 tokens")
    assert error.field is None


@pytest.mark.parametrize(
    ("field", "expected"), [("texts[3]", "texts[3]"), ("", None), ("what a text says", None), ("x" * 300, None)]
)
def test_error_from_stream_names_the_field(field, expected):
    error = error_from_stream(StreamError(code=3, message="why", field=field), "host:1")
    assert (type(error), str(error), error.field) == (sdk.InvalidArgumentError, "host:1: why", expected)


def test_errors_carry_the_id_of_the_call():
    assert error_from_status(_failure(grpc.StatusCode.INTERNAL, x_request_id="0123"), "host:1").request_id == "0123"
    assert error_from_status(_failure(grpc.StatusCode.INTERNAL), "host:1").request_id is None
    assert error_from_stream(StreamError(code=13, request_id="0123"), "host:1").request_id == "0123"
    assert error_from_stream(StreamError(code=13), "host:1").request_id is None


@pytest.mark.parametrize(("details", "more"), [("Deadline Exceeded", ""), ("while it waited", ": while it waited")])
def test_a_timeout_says_how_long_it_was_and_what_may_be(details, more):
    failure = _failure(grpc.StatusCode.DEADLINE_EXCEEDED, details)
    error = error_from_status(failure, "host:1", timeout=0.25)
    assert str(error) == f"host:1: no reply within 0.25 s (timeout: seconds, above 0; math.inf: no limit){more}"
