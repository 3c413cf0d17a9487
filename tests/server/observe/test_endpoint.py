"""The metrics' port against whoever reaches it, on real sockets."""

import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing

import pytest
from bench.lib.server import free_port
from tests.certificates import certified, of_caller

from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.observe.metrics import Metrics
from polyseme.server.security.tls import metrics_context
from polyseme.server.security.tokens import Tokens

CONNECTIONS = 40


@pytest.fixture
def listen():
    """Serve metrics; gives the port."""
    opened = []

    def listen(**how):
        metrics, port = Metrics(), free_port()
        metrics.listen("127.0.0.1", port, **how)
        opened.append(metrics)
        return port

    yield listen
    for metrics in opened:
        metrics.close()


def scrape(port, scheme="http", token=None, context=None):
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=300, context=context) as reply:
        return reply.read().decode()


def connections_served(before):
    return [thread for thread in threading.enumerate() if thread not in before]


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def sends_on(connection):
    """Send a byte; False once the server has ended the connection."""
    try:
        connection.sendall(b"x")
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_strangers_who_say_nothing_get_few_threads_and_keep_nobody_out(listen):
    port = listen()
    before = threading.enumerate()
    most = 0
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=300)))
            most = max(most, len(connections_served(before)))
        assert "polyseme_calls" in scrape(port)
        most = max(most, len(connections_served(before)))
        assert 1 <= most <= 9  # eight, and one that is ending
    wait_for(lambda: not connections_served(before))


def test_a_byte_now_and_then_does_not_keep_a_connection(listen, monkeypatch):
    monkeypatch.setattr("polyseme.server.observe.endpoint.LONGEST_S", 1.0)
    port = listen()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=0.05)) as slow:
        slow.sendall(b"GET /metrics HTTP/1.0\r\n")
        wait_for(lambda: not sends_on(slow))


def test_a_token_lets_in(listen, tmp_path):
    (tmp_path / "tokens").write_text("ours\n")
    port = listen(authorize=Tokens(str(tmp_path / "tokens"), flag="--metrics-token-file").admits)
    assert "polyseme_calls" in scrape(port, token="ours")
    for wrong in (None, "theirs"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            scrape(port, token=wrong)
        with refused.value:
            assert refused.value.code == 401
            assert b"polyseme_calls" not in refused.value.read()


def test_tls_and_certificates_of_callers(listen, tmp_path):
    authority = pytest.importorskip("trustme").CA()
    config = ServerConfig(metrics_tls=True, **certified(tmp_path, authority, callers=authority))
    port = listen(tls=metrics_context(config))
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with pytest.raises(OSError):  # noqa: PT011  as the other side ends it: a reset, an alert
        scrape(port, "https", context=context)
    with pytest.raises(OSError):  # noqa: PT011
        scrape(port, "http")
    context.load_cert_chain(*of_caller(tmp_path, authority))
    assert "polyseme_calls" in scrape(port, "https", context=context)


def test_tls_without_a_certificate_is_refused():
    with pytest.raises(ConfigError, match="--metrics-tls needs --tls-cert and --tls-key"):
        metrics_context(ServerConfig(metrics_tls=True))
