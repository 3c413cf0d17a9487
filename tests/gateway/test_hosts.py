"""What a web page of another site can do with a gateway on the reader's machine: nothing, under no name."""

import pytest
from tests.gateway.running import gateway_to

from polyseme.gateway.hosts import AllowedHosts

REBOUND = "rebound.example"
PATHS = ["/", "/page/page.js", "/v1/models", "/openapi.json", "/healthz", "/nothing"]


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LocalHost:8000",
        "localhost.:8000",
        "127.0.0.1",
        "127.0.0.1:8000",
        "10.1.2.3:80",
        "[::1]",
        "[fd00::1]:8000",
    ],
)
def test_addresses_and_this_machine_are_answered_for(header):
    assert header in AllowedHosts()


@pytest.mark.parametrize(
    "header",
    [
        "",
        REBOUND,
        f"{REBOUND}:8000",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "notlocalhost",
        f"localhost@{REBOUND}",
        f"localhost, {REBOUND}",
        f"localhost:8000@{REBOUND}",
        "[::1",
        "[rebound.example]",
        "[::1].rebound.example",
        "localhost:port",
    ],
)
def test_all_other_names_are_not(header):
    assert header not in AllowedHosts()


def test_names_are_allowed_alone_or_with_all_below_them():
    allowed = AllowedHosts(["Vectors.example", "*.inner.example"], own="box")
    for header in (
        "vectors.example:443",
        "VECTORS.EXAMPLE",
        "a.inner.example",
        "a.b.inner.example:80",
        "box:8000",
        "localhost",
    ):
        assert header in allowed
    for header in ("a.vectors.example", "inner.example", "ainner.example", "inner.example.rebound.example", REBOUND):
        assert header not in allowed


def test_a_star_allows_any():
    assert REBOUND in AllowedHosts(["*"])


@pytest.mark.parametrize("name", ["http://a", "a:80", "a*", "*.*", "", "a b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="NAME without scheme and port"):
        AllowedHosts([name])


@pytest.mark.parametrize("path", PATHS)
def test_a_page_that_points_its_own_name_here_gets_no_answer(gateway, path):
    refused = gateway.ask(path, host=f"{REBOUND}:{gateway.port}")
    assert (refused.status, refused.error["type"]) == (421, "invalid_request_error")
    assert refused.error["message"] == "header host: it names no host of this gateway (--allowed-hosts)"
    assert REBOUND.encode() not in refused.body


@pytest.mark.parametrize("path", ["/v1/embeddings", "/page/words"])
def test_what_it_sends_is_not_embedded(server, gateway, path):
    before = server.metric("polyseme_calls_total", method="Embed", code="OK", model="tiny")
    assert gateway.ask(path, {"input": "a"}, host=REBOUND).status == 421
    assert server.metric("polyseme_calls_total", method="Embed", code="OK", model="tiny") == before


@pytest.mark.parametrize("hosts", [b"", b"host: localhost\r\nhost: rebound.example\r\n"])
def test_a_request_names_one_host(gateway, hosts):
    with gateway.raw() as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nconnection: close\r\n" + hosts + b"\r\n")
        assert caller.makefile("rb").read().startswith(b"HTTP/1.1 421 ")


def test_a_name_that_is_allowed_is_answered_for(server):
    with gateway_to(server.target, allowed_hosts=("vectors.example",)) as gateway:
        assert gateway.ask("/healthz", host="vectors.example").status == 200
        assert gateway.ask("/healthz").status == 200
        assert gateway.ask("/healthz", host=REBOUND).status == 421


@pytest.mark.parametrize("path", ["/v1/embeddings", "/page/words"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_what_a_page_of_another_site_may_send_unasked_is_refused(gateway, path, kind):
    """Browsers send these types without a question before: https://fetch.spec.whatwg.org/#cors-safelisted-request-header."""
    named = {"content_type": kind} if kind else {}
    answered = gateway.ask(path, b'{"input": "a"}', origin="https://other.example", **named)
    assert answered.status == 415
    assert "access-control-allow-origin" not in answered.headers


@pytest.mark.parametrize("path", ["/v1/embeddings", "/page/words", "/v1/models"])
def test_a_browser_that_asks_for_such_a_page_is_not_told_yes(gateway, path):
    question = {
        "origin": "https://other.example",
        "access_control_request_method": "POST",
        "access_control_request_headers": "content-type, authorization",
    }
    answered = gateway.ask(path, method="OPTIONS", **question)
    assert answered.status == 405
    assert not [name for name in answered.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", PATHS[:-1])
def test_such_a_page_may_read_and_load_no_answer(gateway, path):
    answered = gateway.ask(path, origin="https://other.example")
    assert answered.status == 200
    assert not [name for name in answered.headers if name.lower().startswith("access-control-")]
    assert answered.headers["cross-origin-resource-policy"] == "same-origin"
    assert answered.headers.get_all("x-content-type-options") == ["nosniff"]
