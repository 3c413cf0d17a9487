"""What gRPC's core says, as it came from grpcio 1.85.1, and what a caller is told."""

import grpc
import pytest
import trustme

from polyseme.client import Client, UnavailableError
from polyseme.client._transport.connecting import reason

NOBODY = "connections to all backends failing; last error: "
HUNG_UP = NOBODY + "UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed"
HTTP_1 = NOBODY + "UNAVAILABLE: ipv4:127.0.0.1:1: Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame)"
REFUSED = NOBODY + "UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused"


@pytest.mark.parametrize(
    ("details", "tls", "told"),
    [
        (HUNG_UP, False, "the server hangs up, as one does that speaks TLS"),
        (HTTP_1, False, "something else than a gRPC server without TLS answers there"),
        ("Socket closed", False, ""),  # of a connection that had come about
        (REFUSED, False, ""),
        (REFUSED, True, ""),
        (HUNG_UP, True, ""),
    ],
)
def test_reason(details, tls, told):
    assert reason(details, tls=tls).startswith(told)
    assert bool(reason(details, tls=tls)) == bool(told)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(authority):
    """The target of a server that speaks TLS, by its address: its certificate is for the name."""
    certificate = authority.issue_cert("localhost")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    server = grpc.server(None)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield f"127.0.0.1:{port}"  # one address: of several, gRPC tells of the one that was tried last
    server.stop(0).wait()


def told(target, credentials=None):
    """What a call and a health check say; the same."""
    patience = [("grpc.min_reconnect_backoff_ms", 300_000)]  # an attempt to connect may take long on a busy machine
    with Client(target, credentials=credentials, options=patience) as client:
        for call in (lambda: client.embed("a"), client.health):
            with pytest.raises(UnavailableError) as caught:
                call()
            yield str(caught.value).removeprefix(f"{target}: ")


def test_plaintext_to_a_server_that_speaks_tls(tls_server):
    for message in told(tls_server):
        assert message.startswith("the server hangs up, as one does that speaks TLS; pass credentials=")


def test_tls_to_a_server_that_does_not_speak_it(server):
    for message in told(server.target, grpc.ssl_channel_credentials()):
        assert message.startswith("the server does not speak TLS; leave credentials= out")


def test_a_certificate_of_an_unknown_authority(tls_server):
    for message in told(tls_server, grpc.ssl_channel_credentials()):
        assert message.startswith("the server's certificate is of no authority trusted here")


def test_a_certificate_for_another_name(tls_server, authority):
    trusting = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    for message in told(tls_server, trusting):
        assert message.startswith("the server's certificate is for another name")
