import pytest

from polyseme.server.config import ServerConfig
from polyseme.server.lifecycle.announcement import warn_if_open


def warnings(caplog, **settings):
    warn_if_open(ServerConfig(**settings))
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_warn_if_open_is_silent_on_loopback(caplog, host):
    assert warnings(caplog, host=host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "no-such-host.invalid"])
def test_warn_if_open_says_one_line_elsewhere(caplog, host):
    (line,) = warnings(caplog, host=host)
    assert line.startswith(f"OPEN: whoever reaches {host} may call, in plaintext")


@pytest.mark.parametrize("kept", [{"tls_cert": "cert.pem"}, {"token_file": "tokens"}])
def test_warn_if_open_is_silent_where_something_keeps_callers_out(caplog, kept):
    assert warnings(caplog, host="0.0.0.0", **kept) == []
