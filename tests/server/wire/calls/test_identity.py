import pytest

from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.wire.calls.identity import identifier


class Context:
    """What grpc tells of a call."""

    def __init__(self, peer="ipv4:10.0.0.7:50123", metadata=(), identities=None):
        self.peer = lambda: peer
        self.invocation_metadata = lambda: metadata
        self.peer_identities = lambda: identities


FORWARDED = (("x-forwarded-for", "203.0.113.9"),)


def named(context, **settings):
    return identifier(ServerConfig(**settings))(context)


def test_connections_of_one_address_are_one_caller():
    identify = identifier(ServerConfig())
    assert identify(Context("ipv4:10.0.0.7:1")) == identify(Context("ipv4:10.0.0.7:2"))
    assert identify(Context("ipv4:10.0.0.8:1")) != identify(Context("ipv4:10.0.0.7:1"))


def test_what_is_forwarded_is_believed_of_trusted_proxies_alone():
    assert named(Context(metadata=FORWARDED)) == "10.0.0.7"
    assert named(Context(metadata=FORWARDED), trusted_proxies="10.0.0.8") == "10.0.0.7"
    assert named(Context(metadata=FORWARDED), trusted_proxies="10.0.0.0/24") == "203.0.113.9"
    assert named(Context(), trusted_proxies="10.0.0.0/24") == "10.0.0.7"


def test_a_token_names_its_caller_wherever_it_comes_from():
    one, other = ((("authorization", f"Bearer {token}"),) for token in ("one", "other"))
    names = [
        named(Context("ipv4:10.0.0.7:1", one), token_file="tokens"),
        named(Context("ipv4:10.0.0.8:1", one), token_file="tokens"),
        named(Context("ipv4:10.0.0.8:1", other), token_file="tokens"),
    ]
    assert names[0] == names[1] != names[2]
    assert "one" not in names[0]


def test_a_certificate_names_its_caller_but_for_that_of_a_proxy():
    shown = Context(metadata=FORWARDED, identities=[b"backend.example"])
    assert named(shown, tls_client_ca="ca.pem") == "certificate backend.example"
    assert named(Context(), tls_client_ca="ca.pem") == "10.0.0.7"
    assert named(shown, tls_client_ca="ca.pem", trusted_proxies="10.0.0.7") == "203.0.113.9"


def test_peers_without_an_address_are_one_caller():
    assert named(Context("unix:")) == named(Context("unix:/run/it.sock"))


def test_a_proxy_that_is_no_address_is_refused():
    with pytest.raises(ConfigError, match="--trusted-proxies"):
        identifier(ServerConfig(trusted_proxies="proxy"))
