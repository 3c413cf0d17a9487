"""Unix sockets that a server listens on: who can open them, and what is removed to make room."""

import os
import socket
import stat
from contextlib import closing

import grpc
import pytest
from tests.server.running import refused, running

from polyseme.client import Client, UnauthenticatedError
from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.security.unix_socket import grpc_address, make_room
from polyseme.v1 import embedding_service_pb2 as pb


def bound(path, listening=False):
    """A socket at a path; one that nobody answers on, unless it listens."""
    it = socket.socket(socket.AF_UNIX)
    it.bind(str(path))
    if listening:
        it.listen(1)
    return it


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_a_server_answers_there_and_on_its_port(tiny_artifact, tmp_path):
    path = tmp_path / "it.sock"
    with running(tiny_artifact, listen=f"unix:{path}") as server:
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert mode(path) == "0o600"
        with Client(f"unix:{path}") as by_socket, Client(server.target) as by_port:
            assert (by_socket.embed("a cat") == by_port.embed("a cat")).all()
    assert not path.exists(), "left behind by a server that stopped"


def test_a_server_without_a_port_answers_there_alone(tiny_artifact, tmp_path, caplog):
    caplog.set_level("INFO")
    target = f"unix:{tmp_path / 'it.sock'}"
    with running(tiny_artifact, listen=target, port=-1, host="0.0.0.0") as server:
        assert server.app.port == 0
        with Client(target) as client:
            assert client.embed("a cat").ndim == 1
        server.app.announce()
    assert any(f" on {target} | " in line for line in caplog.messages)
    assert not any("OPEN" in line for line in caplog.messages)


def test_what_a_server_creates_later_has_the_usual_mode(tiny_artifact, tmp_path):
    with running(tiny_artifact, listen=f"unix:{tmp_path / 'it.sock'}"):
        (tmp_path / "later").touch()
    (tmp_path / "usual").touch()
    before = os.umask(0)
    os.umask(before)
    assert mode(tmp_path / "later") == mode(tmp_path / "usual") == oct(0o666 & ~before)


def test_a_path_with_what_a_uri_escapes(tiny_artifact, tmp_path):
    path = tmp_path / "50% of? it"
    with running(tiny_artifact, listen=f"unix:{path}"):
        assert mode(path) == "0o600"
        with Client(grpc_address(f"unix:{path}")) as client:
            assert client.embed("a cat").ndim == 1


def test_a_token_is_asked_for_there_too(tiny_artifact, tmp_path):
    (tmp_path / "tokens").write_text("secret\n")
    target = f"unix:{tmp_path / 'it.sock'}"
    with running(tiny_artifact, listen=target, token_file=str(tmp_path / "tokens")):
        with Client(target, token="secret") as client:
            client.embed("a cat")
        with Client(target) as client, pytest.raises(UnauthenticatedError):
            client.embed("a cat")


def test_tls_is_of_the_port_alone(tiny_artifact, tmp_path):
    """Callers' certificates too: on the socket its mode keeps others out."""
    authority = pytest.importorskip("trustme").CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {
        "tls_cert": str(tmp_path / "cert.pem"),
        "tls_key": str(tmp_path / "key.pem"),
        "tls_client_ca": str(tmp_path / "ca.pem"),
    }
    target = f"unix:{tmp_path / 'it.sock'}"
    with running(tiny_artifact, listen=target, **files) as server:
        with Client(target) as client:
            client.embed("a cat")
        refused(
            lambda: server.embedding.Embed(pb.EmbedRequest(texts=["a cat"]), timeout=300), grpc.StatusCode.UNAVAILABLE
        )


def test_a_socket_that_nobody_answers_on_is_replaced(tiny_artifact, tmp_path):
    path = tmp_path / "stale.sock"
    bound(path).close()
    with running(tiny_artifact, listen=f"unix:{path}"), Client(f"unix:{path}") as client:
        assert client.embed("a cat").ndim == 1


def test_a_socket_of_a_server_that_runs_is_left_to_it(tiny_artifact, tmp_path):
    target = f"unix:{tmp_path / 'it.sock'}"
    with running(tiny_artifact, listen=target), Client(target) as client:
        with pytest.raises(ConfigError, match=f"cannot listen on {target}: another process listens there"):
            make_room(target)
        assert client.embed("a cat").ndim == 1
        with Client(target) as later:
            assert later.embed("a cat").ndim == 1


def test_a_socket_whose_backlog_is_full_is_somebodys(tmp_path):
    path = tmp_path / "busy.sock"
    with closing(bound(path, listening=True)), closing(socket.socket(socket.AF_UNIX)) as first:
        first.connect(str(path))
        with pytest.raises(ConfigError, match="another process listens there"):
            make_room(f"unix:{path}")
    assert path.exists()


def test_a_file_that_is_no_socket_is_left(tmp_path):
    (tmp_path / "mine").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("mine", "link"):
        with pytest.raises(ConfigError, match=f"cannot listen on unix:{tmp_path}/{name}: the file there is no socket"):
            make_room(f"unix:{tmp_path / name}")
    assert (tmp_path / "link").read_text() == "kept"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"cannot listen on unix:{tmp_path}/none/it: No such file or directory"):
        make_room(f"unix:{tmp_path}/none/it")


@pytest.mark.parametrize("letter", ["a", "é"])
def test_a_path_has_107_bytes_at_most(tmp_path, monkeypatch, letter):
    monkeypatch.chdir(tmp_path)
    longest = letter * (107 // len(letter.encode()))
    make_room(f"unix:{longest}")
    with pytest.raises(ConfigError, match="--listen: the path of the socket has 108 bytes; limit 107"):
        make_room("unix:" + (longest + letter * 2).encode()[:108].decode())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("listen", ["unix:it", "unix:/run/it.sock", "unix:///run/it.sock", ""])
def test_what_can_be_listened_on(listen):
    assert ServerConfig.from_sources({"listen": listen}, {}).listen == listen


@pytest.mark.parametrize("listen", ["/run/it.sock", "unix:", "unix://run/it.sock", "tcp:127.0.0.1:1", "unix:a\nb"])
def test_what_cannot_be_listened_on(listen):
    with pytest.raises(ConfigError, match=r"--listen: got .*; one of unix:/run/polyseme.sock"):
        ServerConfig.from_sources({"listen": listen}, {})
