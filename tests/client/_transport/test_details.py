import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.client.trailers import bad_request, retry_info, status_details

from polyseme.client._transport.details import request_id, retry_after, wrong_field

OTHER = error_details_pb2.DebugInfo(detail="x")


@given(st.integers(0, 10**6), st.integers(0, 999_999_999))
def test_retry_after_reads_retry_info(seconds, nanos):
    trailers = [*status_details(OTHER, retry_info(seconds, nanos)), ("grpc-retry-pushback-ms", "7")]
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


@pytest.mark.parametrize(
    "field", ["texts[3]", "inputs[2].words[0]", "dimensions", "a[1].word", "text_options.prompt_name"]
)
def test_wrong_field_reads_bad_request(field):
    assert wrong_field(status_details(OTHER, bad_request(field, "texts[9]"))) == field


def test_wrong_field_is_there_beside_other_details():
    trailers = status_details(retry_info(3), bad_request("texts[3]"))
    assert (wrong_field(trailers), retry_after(trailers)) == ("texts[3]", 3)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "a text of somebody",
        "texts[]",
        "texts[-1]",
        "texts[1234567890]",
        "texts[3",
        "a..b",
        "texts[3].",
        "x" * 257,
        "é",
    ],
)
def test_wrong_field_is_only_what_is_spelled_as_one(field):
    assert wrong_field(status_details(bad_request(field))) is None
    assert wrong_field(status_details(bad_request(field, "texts[3]"))) == "texts[3]"


def test_wrong_field_looks_at_sixteen_violations():
    assert wrong_field(status_details(bad_request(*["?"] * 15, "texts[3]"))) == "texts[3]"
    assert wrong_field(status_details(bad_request(*["?"] * 16, "texts[3]"))) is None


@pytest.mark.parametrize("trailers", [(), [("grpc-status-details-bin", "text")], [("grpc-status-details-bin", b"")]])
def test_wrong_field_is_none_where_nothing_is_said(trailers):
    assert wrong_field(trailers) is None


@given(st.binary(max_size=80))
def test_any_trailer_is_survived(details):
    trailers = [("grpc-status-details-bin", details)]
    assert (retry_after(trailers), wrong_field(trailers)) == (None, None)


@given(st.data())
def test_mutated_details_are_survived(data):
    ((name, sent),) = status_details(retry_info(3), bad_request("texts[3]"))
    details = bytearray(sent)
    for _ in range(data.draw(st.integers(1, 3))):
        details[data.draw(st.integers(0, len(details) - 1))] = data.draw(st.integers(0, 255))
    delay, field = retry_after([(name, bytes(details))]), wrong_field([(name, bytes(details))])
    assert delay is None or delay >= 0
    assert field is None or field.isascii()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a-1", "a-1"),
        ("a" * 128, "a" * 128),
        ("a" * 129, None),
        ("", None),
        ("a\nb", None),
        (b"a", None),
        ("\xe9", None),
    ],
)
def test_request_id_is_what_a_log_could_hold(value, expected):
    assert request_id([("x-request-id", value)]) == expected
    assert request_id([]) is None
