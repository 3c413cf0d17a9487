import pytest
from tests.gateway.running import Answered
from tests.server.running import CANARY

JSON = {"content_type": "application/json"}
LIMIT = 64 << 10


@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT])
def test_a_body_over_the_limit_is_413_once_it_was_sent(gateway, size):
    answered = gateway.ask("/v1/embeddings", b"x" * size, **JSON)
    assert (answered.status, answered.error["message"]) == (
        413,
        f"the body has {size} bytes; limit {LIMIT} (--max-body-bytes)",
    )


def test_a_body_far_over_the_limit_is_413_by_its_head(gateway):
    with gateway.connect() as connection:
        connection.putrequest("POST", "/v1/embeddings")
        connection.putheader("content-length", str(10**15))
        connection.endheaders()
        answered = Answered(connection.getresponse())
    assert answered.status == 413
    assert answered.headers["connection"] == "close"


def test_a_body_without_a_length_is_cut_off_at_twice_the_limit(gateway):
    with gateway.raw() as caller:
        caller.sendall(b"POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            caller.sendall((b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 10_000)


def test_a_body_at_the_limit_is_read_in_either_form(gateway):
    body = b'{"input": "a"' + b" " * (LIMIT - 14) + b"}"
    assert (len(body), gateway.ask("/v1/embeddings", body, **JSON).status) == (LIMIT, 200)
    with gateway.connect() as connection:
        connection.request(
            "POST", "/v1/embeddings", iter([body[:100], body[100:]]), {"content-type": "application/json"},
            encode_chunked=True,
        )  # fmt: skip
        assert Answered(connection.getresponse()).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonl"])
def test_a_body_of_another_kind_is_415(gateway, kind):
    answered = gateway.ask("/v1/embeddings", b'{"input": "a"}', content_type=kind)
    assert (answered.status, answered.error["message"]) == (
        415,
        "header content-type: application/json is read, and nothing else",
    )


def test_a_charset_is_no_other_kind(gateway):
    assert (
        gateway.ask("/v1/embeddings", b'{"input": "a"}', content_type="Application/JSON; charset=utf-8").status == 200
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        CANARY.encode(),
        b'{"input": "' + CANARY.encode() + b'"',
        b'{"input": "\xff"}',
        b'{"input": "\\ud800"}',
        b'{"input": NaN}',
        b"[" * 50_000,
        b'{"input": ' + b"9" * 10_000 + b"x}",
    ],
)
def test_what_is_no_json_is_400_and_is_not_repeated(gateway, body):
    answered = gateway.ask("/v1/embeddings", body, **JSON)
    assert (answered.status, "the body is no JSON" in answered.error["message"]) == (400, True)
    assert CANARY.encode() not in answered.body


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[1]", "an array"), (b'"a"', "a string"), (b"null", "null"), (b"true", "a boolean"), (b"1", "a number")],
)
def test_what_is_no_object_is_400(gateway, body, kind):
    answered = gateway.ask("/v1/embeddings", body, **JSON)
    assert (answered.status, answered.error["message"]) == (400, f"the body is JSON, and no object: got {kind}")
