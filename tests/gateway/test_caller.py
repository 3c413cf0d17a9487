"""The caller of a request, as the server gets to know it."""

import pytest
from tests.client.fake_server import fake_server
from tests.gateway.running import gateway_to
from tests.server.running import running

BODY = {"input": "a"}


@pytest.fixture(scope="module")
def fake():
    with fake_server() as it:
        yield it


@pytest.fixture(scope="module")
def before_it(fake):
    with gateway_to(fake.target) as it:
        yield it


def told(fake, before_it, **headers):
    """The metadata of the call that a request with these headers makes."""
    assert before_it.ask("/v1/embeddings", BODY, **headers).status == 200
    return fake.faults.metadata[-1]


def test_a_key_goes_on_as_the_token_and_none_is_made_up(fake, before_it):
    assert told(fake, before_it, authorization="Bearer sk-1")["authorization"] == "Bearer sk-1"
    assert told(fake, before_it, authorization="bearer  sk-2 ")["authorization"] == "Bearer sk-2"
    assert "authorization" not in told(fake, before_it)
    assert "authorization" not in told(fake, before_it, authorization="Bearer ")


@pytest.mark.parametrize("given", ["Basic dXNlcjpwYXNz", "sk-1", "Bearer sk-\xe9"])
def test_what_is_no_key_is_401_and_is_not_repeated(before_it, given):
    answered = before_it.ask("/v1/embeddings", BODY, authorization=given)
    assert (answered.status, answered.error["code"], answered.headers["www-authenticate"]) == (
        401,
        "invalid_api_key",
        "Bearer",
    )
    assert given.split()[-1].encode("latin-1") not in answered.body


def test_a_server_with_tokens_takes_its_own_alone(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("right\n")
    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server, gateway_to(server.target) as gateway:
        assert gateway.ask("/v1/embeddings", BODY, authorization="Bearer right").status == 200
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answered = gateway.ask("/v1/embeddings", BODY, **headers)
            assert (answered.status, answered.error["type"]) == (401, "authentication_error")
            assert answered.headers["www-authenticate"] == "Bearer"
            assert b"wrong" not in answered.body
        assert gateway.ask("/healthz").status == 200


def test_the_address_of_the_caller_goes_on_behind_those_of_proxies(fake, before_it):
    assert told(fake, before_it)["x-forwarded-for"] == "127.0.0.1"
    assert told(fake, before_it, x_forwarded_for="203.0.113.9")["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert told(fake, before_it, x_forwarded_for="9" * 2000)["x-forwarded-for"] == "127.0.0.1"
    assert told(fake, before_it, x_forwarded_for="\xe9")["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize(("trusted", "callers"), [("127.0.0.1", 2), ("", 1)])
def test_callers_are_told_apart_where_the_server_trusts_the_gateway(tiny_artifact, trusted, callers):
    """Of two callers behind a proxy that the server trusts too."""
    with running(tiny_artifact, trusted_proxies=trusted) as server, gateway_to(server.target) as gateway:
        with server.faults.held() as held:
            connections = [gateway.connect() for _ in range(2)]
            entered = [connection.__enter__() for connection in connections]
            for number, connection in enumerate(entered):
                connection.request(
                    "POST",
                    "/v1/embeddings",
                    b'{"input": "a"}',
                    {"content-type": "application/json", "x-forwarded-for": f"203.0.113.{number}"},
                )
                held.wait_for_a_batch()
            counted = len(server.app._admission._by_caller)
        for connection in connections:
            connection.__exit__(None, None, None)
    assert counted == callers


def test_a_request_has_one_id_on_both_sides(fake, before_it):
    answered = before_it.ask("/v1/embeddings", BODY, x_request_id="mine-1")
    assert (answered.headers["x-request-id"], fake.faults.metadata[-1]["x-request-id"]) == ("mine-1", "mine-1")
    answered = before_it.ask("/v1/embeddings", BODY, x_request_id="<script>")
    assert answered.headers["x-request-id"] == fake.faults.metadata[-1]["x-request-id"] != "<script>"


def test_a_trace_goes_on(fake, before_it):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert told(fake, before_it, traceparent=trace)["traceparent"] == trace
    assert "traceparent" not in told(fake, before_it, traceparent="0" * 200)
