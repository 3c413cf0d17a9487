import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from polyseme.server.errors import EngineError, InvalidInputError, NotReadyError, QueueFullError
from polyseme.server.wire.calls.status import status_of, trailers

TEXT = "canaryxyzzy"
ID = "0123456789abcdef"


def details(status, kind):
    message = status_pb2.Status.FromString(dict(trailers(status))["grpc-status-details-bin"])
    assert (message.code, message.message) == (status.code.value[0], status.message)
    (detail,) = message.details
    unpacked = kind()
    assert detail.Unpack(unpacked)
    return unpacked


def test_bad_input_names_its_field():
    status = status_of(InvalidInputError(": not found", ("inputs", 2, "words", 0)), ID)
    assert (status.code, status.message) == (grpc.StatusCode.INVALID_ARGUMENT, "inputs[2].words[0]: not found")
    (violation,) = details(status, error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == ("inputs[2].words[0]", "inputs[2].words[0]: not found")


def test_bad_input_without_a_field_has_no_details():
    assert trailers(status_of(InvalidInputError("the reply would have 9 bytes or more"), ID)) == ()


def test_details_fit_a_header():
    status = status_of(InvalidInputError(": " + "\N{GREEK SMALL LETTER ALPHA}" * 4000, ("prompt_name",)), ID)
    (violation,) = details(status, error_details_pb2.BadRequest).field_violations
    assert 3000 < len(violation.description.encode()) <= 3072


def test_a_full_queue_says_when_to_come_again():
    status = status_of(QueueFullError("queue has 3 tokens; limit 1", retry_after_s=1.5), ID)
    assert details(status, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 1500
    assert dict(trailers(status))["grpc-retry-pushback-ms"] == "1500"


def test_the_first_of_several_errors_is_told():
    status = status_of(ExceptionGroup("", [ExceptionGroup("", [NotReadyError("draining")]), ValueError()]), ID)
    assert (status.code, status.message) == (grpc.StatusCode.UNAVAILABLE, "draining")


def test_internal_errors_tell_an_id_and_no_text(caplog):
    for error in (ValueError(TEXT), EngineError("the model could not be run")):
        status = status_of(error, ID)
        assert status.code is grpc.StatusCode.INTERNAL
        assert status.message == f"internal error {ID}: the server's log has it under this id"
    assert caplog.text.count(f"request {ID}: ") == 2
    assert TEXT not in status.message
    assert TEXT not in caplog.text


def raised(make_error):
    try:
        make_error()
    except Exception as error:
        return error


def caused_by_a_text():
    try:
        {}[TEXT]
    except KeyError as error:
        raise EngineError("the model could not be run") from error


def in_the_course_of_another():
    try:
        int(TEXT)
    except ValueError:
        [].index(TEXT)


@pytest.mark.parametrize("make_error", [caused_by_a_text, in_the_course_of_another])
def test_no_message_of_a_chain_reaches_the_log(caplog, make_error):
    """The operator is still told of every exception: its type, and where it was raised."""
    status_of(ExceptionGroup(TEXT, [raised(make_error)]), ID)
    assert TEXT not in caplog.text
    assert caplog.text.count("Traceback (most recent call last)") == 2
    assert f"in {make_error.__name__}\n" in caplog.text
    assert caplog.text.count("message withheld") == (1 if make_error is caused_by_a_text else 2)
    assert "EngineError: the model could not be run" in caplog.text or make_error is not caused_by_a_text
