import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from polyseme import client as sdk
from polyseme.client._transport.status import error_from_status, retry_after

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


def _details(delay: duration_pb2.Duration) -> bytes:
    info, other = any_pb2.Any(), any_pb2.Any()
    info.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    other.Pack(error_details_pb2.DebugInfo(detail="x"))
    return status_pb2.Status(code=8, message="full", details=[other, info]).SerializeToString()


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


@given(st.integers(0, 10**6), st.integers(0, 999_999_999))
def test_retry_after_reads_retry_info(seconds, nanos):
    delay = duration_pb2.Duration(seconds=seconds, nanos=nanos)
    trailers = [("grpc-status-details-bin", _details(delay)), ("grpc-retry-pushback-ms", "7")]
    assert retry_after(trailers) == pytest.approx(seconds + nanos / 1e9)


@pytest.mark.parametrize(
    ("trailers", "expected"),
    [
        ([], None),
        ([("grpc-retry-pushback-ms", "250")], 0.25),
        ([("grpc-retry-pushback-ms", "-1")], None),
        ([("grpc-retry-pushback-ms", "soon")], None),
        ([("grpc-status-details-bin", b"\xff\xff"), ("grpc-retry-pushback-ms", "250")], 0.25),
        ([("grpc-status-details-bin", b"")], None),
    ],
)
def test_retry_after_falls_back_to_pushback(trailers, expected):
    assert retry_after(trailers) == expected


@given(st.binary(max_size=80))
def test_retry_after_survives_any_trailer(details):
    assert retry_after([("grpc-status-details-bin", details)]) is None


@given(st.data())
def test_retry_after_survives_mutated_details(data):
    details = bytearray(_details(duration_pb2.Duration(seconds=3)))
    details[data.draw(st.integers(0, len(details) - 1))] = data.draw(st.integers(0, 255))
    delay = retry_after([("grpc-status-details-bin", bytes(details))])
    assert delay is None or delay >= 0


def test_error_from_status_carries_retry_after():
    failure = _failure(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc_retry_pushback_ms="1500")
    error = error_from_status(failure, "host:1")
    assert isinstance(error, sdk.ResourceExhaustedError)
    assert error.retry_after == 1.5
