import pytest

from polyseme.server.wire.caller import request_id_of


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, ""),
        ((), ""),
        ((("x-request-id", "a1-b2"),), "a1-b2"),
        ((("user-agent", "x"), ("x-request-id", "Root=1-5e/7:9+="), ("x-request-id", "other")), "Root=1-5e/7:9+="),
        ((("x-request-id", "x" * 128),), "x" * 128),
        ((("x-request-id", "x" * 129),), ""),
        ((("x-request-id", "a text"),), ""),
        ((("x-request-id", ""),), ""),
        ((("x-request-id", b"x"),), ""),
    ],
)
def test_a_request_id_is_taken_where_it_is_one(metadata, expected):
    assert request_id_of(metadata) == expected
