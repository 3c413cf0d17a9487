import grpc
import pytest

from polyseme import client as sdk
from polyseme.client import PolysemeError
from polyseme.gateway.statuses import http_error, retry_headers

TARGET = "10.0.0.7:50051"


def translated(kind, message="it is so", **fields):
    return http_error(kind(f"{TARGET}: {message}", target=TARGET, **fields))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (sdk.InvalidArgumentError, 400),
        (sdk.FailedPreconditionError, 400),
        (sdk.UnauthenticatedError, 401),
        (sdk.PermissionDeniedError, 403),
        (sdk.NotFoundError, 404),
        (sdk.MessageTooLargeError, 413),
        (sdk.ResourceExhaustedError, 429),
        (sdk.InternalError, 500),
        (sdk.UnimplementedError, 501),
        (sdk.InvalidReplyError, 502),
        (sdk.UnavailableError, 503),
        (sdk.ModelChangedError, 503),
        (sdk.CancelledError, 503),
        (sdk.ClosedClientError, 503),
        (sdk.DeadlineExceededError, 504),
        (PolysemeError, 500),
    ],
)
def test_every_error_of_a_call_has_a_status_and_names_no_address(kind, status):
    error = translated(kind)
    assert (error.status, TARGET in str(error)) == (status, False)
    assert str(error)
    assert ("retry-after" in error.headers) == (status in (429, 503))
    assert (error.kind == "server_error") == (status >= 500)


def test_the_servers_own_words_are_told_where_they_are_meant_for_the_caller():
    assert str(translated(sdk.InvalidArgumentError, "texts[3] has 913 tokens; limit 512")) == (
        "input[3] has 913 tokens; limit 512"
    )
    assert "Connection refused" not in str(translated(sdk.UnavailableError, "ipv4:10.0.0.7:50051: Connection refused"))


@pytest.mark.parametrize(
    ("field", "param"),
    [("texts[3]", "input[3]"), ("dimensions", "dimensions"), ("text_options.prompt_name", "prompt_name"), (None, None)],
)
def test_fields_are_those_of_the_body(field, param):
    assert translated(sdk.InvalidArgumentError, field=field).param == param


@pytest.mark.parametrize(
    ("retry_after", "expected"), [(None, ("1", "1000")), (0.02, ("1", "20")), (2.5, ("3", "2500"))]
)
def test_a_full_server_says_when_to_try_again(retry_after, expected):
    error = sdk.ResourceExhaustedError("full", code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    error.retry_after = retry_after
    headers = http_error(error).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == expected


def test_an_unauthenticated_caller_is_told_the_scheme():
    assert translated(sdk.UnauthenticatedError).headers == {"www-authenticate": "Bearer"}
    assert translated(sdk.UnauthenticatedError).code == "invalid_api_key"


def test_seconds_are_rounded_up_since_before_is_too_early():
    assert retry_headers(1.0001) == {"retry-after": "2", "retry-after-ms": "1001"}
