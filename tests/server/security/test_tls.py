"""TLS, certificates of callers and tokens: real handshakes on a socket."""

import datetime
import itertools
import socket
import ssl
import subprocess
import sys

import grpc
import pytest
from tests.certificates import certified
from tests.server.running import refused, running

from polyseme.client import Client, UnauthenticatedError, UnavailableError
from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.errors import UnauthenticatedError as Refused
from polyseme.server.security.tls import server_credentials
from polyseme.server.security.tokens import Tokens
from polyseme.v1 import embedding_service_pb2 as pb

TEXT = pb.EmbedRequest(texts=["a cat"])
YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority():
    return pytest.importorskip("trustme").CA()


@pytest.fixture(scope="module")
def stranger():
    return pytest.importorskip("trustme").CA()


def credentials(authority, caller=None):
    key, chain = (None, None) if caller is None else (caller.private_key_pem.bytes(), caller.cert_chain_pems[0].bytes())
    return grpc.ssl_channel_credentials(authority.cert_pem.bytes(), key, chain)


def client(server, how, **more):
    return Client(server.target, credentials=how, timeout=300, **more)


def unreachable(server, how):
    with client(server, how) as caller, pytest.raises(UnavailableError):
        caller.embed("a cat")


def test_a_server_with_a_certificate(tiny_artifact, tmp_path, authority, stranger):
    with running(tiny_artifact, **certified(tmp_path, authority)) as server:
        with client(server, credentials(authority)) as caller:
            assert caller.embed("a cat").shape == (32,)
            assert caller.health("polyseme.v1.EmbeddingService").name == "SERVING"
        unreachable(server, credentials(stranger))
        unreachable(server, None)


def test_who_knocks_without_tls_leaves_nothing_in_the_log(tiny_artifact, tmp_path, authority):
    files = certified(tmp_path, authority)
    flags = [part for name, path in files.items() for part in ("--" + name.replace("_", "-"), path)]
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(tiny_artifact), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--metrics-port", "0", "--drain-delay-s", "0", *flags],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        port = int(line.partition("127.0.0.1:")[2].split()[0])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert raw.recv(1) == b"", "the server has hung up"
        process.terminate()
        rest = process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert all("INFO polyseme.server." in line for line in rest.splitlines()), rest


def test_another_name_and_a_time_that_is_over(tiny_artifact, tmp_path, authority):
    with running(tiny_artifact, **certified(tmp_path, authority, "elsewhere.example")) as server:
        unreachable(server, credentials(authority))
        named = [("grpc.ssl_target_name_override", "elsewhere.example")]
        with client(server, credentials(authority), options=named) as caller:
            assert caller.embed("a cat").shape == (32,)
    with running(tiny_artifact, **certified(tmp_path, authority, not_after=YESTERDAY)) as server:
        unreachable(server, credentials(authority))


def test_callers_must_show_a_certificate(tiny_artifact, tmp_path, authority, stranger):
    with running(tiny_artifact, **certified(tmp_path, authority, callers=authority)) as server:
        known, unknown = (one.issue_cert("caller@example.org") for one in (authority, stranger))
        with client(server, credentials(authority, known)) as caller:
            assert caller.embed("a cat").shape == (32,)
        unreachable(server, credentials(authority))
        unreachable(server, credentials(authority, unknown))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", ["TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_versions_of_tls(tiny_artifact, tmp_path, authority, version):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would not even offer the old ones
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    with running(tiny_artifact, **certified(tmp_path, authority)) as server:
        address = ("127.0.0.1", server.app.port)
        if version == "TLSv1_1":
            with socket.create_connection(address) as raw, pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(raw, server_hostname="localhost")
        else:
            with socket.create_connection(address) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
                assert tls.version() == version.replace("_", ".")


def test_a_new_certificate_is_taken_without_a_restart(
    tiny_artifact, tmp_path, authority, stranger, monkeypatch, caplog
):
    monkeypatch.setattr("polyseme.server.security.watched._LOOK_AGAIN_S", 0)
    with (
        running(tiny_artifact, **certified(tmp_path, authority)) as server,
        client(server, credentials(authority)) as old,
    ):
        old.embed("a cat")
        (tmp_path / "cert.pem").write_text("half a certifi")
        with client(server, credentials(authority)) as caller:
            assert caller.embed("a cat").shape == (32,)
        assert "still using what was there before: --tls-cert, --tls-key: not a certificate" in caplog.text
        certified(tmp_path, stranger)
        with client(server, credentials(stranger)) as caller:
            assert caller.embed("a cat").shape == (32,)
        unreachable(server, credentials(authority))
        assert old.embed("a cat").shape == (32,), "the connection that was there goes on"


def test_calls_need_a_token(tiny_artifact, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("# of the search team\nalpha-1\n\n  beta-2  \n")
    with running(tiny_artifact, token_file=str(file)) as server:
        for token in ("alpha-1", "beta-2"):
            with client(server, None, token=token) as caller:
                assert caller.embed("a cat").shape == (32,)
                assert caller.models()
                assert len(list(caller.embed_stream(["a", "b"]))) == 2
        for token in (None, "alpha", "alpha-11", "gamma", "# of the search team"):
            with client(server, None, token=token) as caller:
                with pytest.raises(UnauthenticatedError, match="metadata authorization: ") as error:
                    caller.embed("a cat")
                assert "alpha" not in str(error.value)
                with pytest.raises(UnauthenticatedError):
                    caller.models()
                with pytest.raises(UnauthenticatedError):
                    list(caller.embed_stream(["a"]))
                assert caller.health().name == "SERVING", "probes have no tokens"


@pytest.mark.parametrize(
    "value", ["alpha-1", "bearer alpha-1", "Basic alpha-1", "Bearer", "Bearer  alpha-1", "Bearer \xe4"]
)
def test_a_token_in_another_form(tiny_artifact, tmp_path, value):
    (tmp_path / "tokens").write_text("alpha-1")
    with running(tiny_artifact, token_file=str(tmp_path / "tokens")) as server:
        metadata = [("authorization", value)] if value.isascii() else [("authorization-bin", value.encode())]
        refused(
            lambda: server.embedding.Embed(TEXT, metadata=metadata, timeout=300),
            grpc.StatusCode.UNAUTHENTICATED,
            "authorization",
        )


def test_tokens_are_read_again(tmp_path, caplog):
    file = tmp_path / "tokens"
    file.write_text("old")
    tokens = Tokens(str(file), itertools.count().__next__)  # each look is a second later
    tokens.check([("authorization", "Bearer old")])
    file.write_text("newer")
    tokens.check([("authorization", "Bearer newer")])
    with pytest.raises(Refused):
        tokens.check([("authorization", "Bearer old")])
    file.unlink()
    tokens.check([("authorization", "Bearer newer")])
    assert "still using what was there before" in caplog.text
    assert "newer" not in caplog.text


def test_files_that_make_no_sense_are_one_line(tmp_path, authority, stranger):
    good, other = (tmp_path / name for name in ("good", "other"))
    good.mkdir()
    other.mkdir()
    files, others = certified(good, authority, callers=authority), certified(other, stranger)
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    cases = [
        ({"tls_cert": files["tls_cert"]}, "TLS needs both --tls-cert and --tls-key"),
        ({"tls_client_ca": files["tls_client_ca"]}, "TLS needs both"),
        ({**files, "tls_key": others["tls_key"]}, "not a certificate and its key"),
        ({**files, "tls_cert": str(broken)}, "not a certificate and its key"),
        ({**files, "tls_key": str(tmp_path / "none")}, "--tls-key: cannot read"),
        ({**files, "tls_client_ca": str(broken)}, "--tls-client-ca: no certificates"),
        ({**files, "tls_client_ca": str(tmp_path)}, "--tls-client-ca: cannot read"),
    ]
    for given, message in cases:
        with pytest.raises(ConfigError, match=message) as error:
            server_credentials(ServerConfig(**given))
        assert "\n" not in str(error.value)
    assert server_credentials(ServerConfig()) is None
    assert server_credentials(ServerConfig(**files)) is not None


@pytest.mark.parametrize("content", ["", "# none\n\n", "two words\n", "na\u00efve\n", "tab\there\n"])
def test_token_files_that_make_no_sense(tmp_path, content):
    (tmp_path / "tokens").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="--token-file: ") as error:
        Tokens(str(tmp_path / "tokens"))
    assert "words" not in str(error.value)
    with pytest.raises(ConfigError, match="cannot read"):
        Tokens(str(tmp_path / "none"))
