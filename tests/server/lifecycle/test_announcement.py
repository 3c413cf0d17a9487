import pytest

from polyseme.server.config import ServerConfig
from polyseme.server.lifecycle.announcement import announce_memory, warn_if_open


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


@pytest.mark.parametrize(("connections", "level"), [(1000, "INFO"), (10_000, "WARNING")])
def test_what_grpc_alone_may_hold_is_said_and_warned_of(caplog, connections, level):
    caplog.set_level("INFO")
    announce_memory(ServerConfig(max_connections=connections, max_streams=10, max_memory="2GiB"), 2 << 30, 1 << 30)
    (record,) = caplog.records
    assert record.levelname == level
    assert record.getMessage().startswith("memory: 2048 MiB at most (--max-memory 2GiB), 1024 of them for calls; ")
    assert f"{connections} connections x 10 calls x 64 kB that come unasked" in record.getMessage()
    assert ("lower --max-connections or --max-streams" in record.getMessage()) == (level == "WARNING")
