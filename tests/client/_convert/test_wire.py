import contextlib

import pytest
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from polyseme.client._convert.wire import fields, length_delimited


@given(st.integers(0, 2**31 - 1), st.text(max_size=300))
def test_fields_reads_what_protobuf_writes(code, message):
    data = status_pb2.Status(code=code, message=message).SerializeToString()
    assert dict(fields(data)) == {number: value for number, value in ((1, code), (2, message.encode())) if value}


@given(st.text(max_size=300))
def test_length_delimited_writes_what_protobuf_reads(service):
    assert health_pb2.HealthCheckRequest.FromString(length_delimited(1, service.encode())).service == service


@given(st.binary(max_size=40))
def test_fields_raises_nothing_but_value_error(data):
    with contextlib.suppress(ValueError):
        list(fields(data))


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11, b"\x0d\x01"])
def test_fields_refuses_what_ends_too_early(data):
    with pytest.raises(ValueError, match=r"after the message|wire type|ten bytes"):
        list(fields(data))
