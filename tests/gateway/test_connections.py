"""Callers that are slow, or large, or many: on connections of their own, before an application of the test."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from functools import partial

import pytest
import uvicorn
from tests.gateway.running import until

from polyseme.gateway import connections
from polyseme.gateway.connections import Connection

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
LARGE = 64 << 20  # more than the buffers of both ends hold


@contextmanager
def answering(size=2, **limits):
    """A server whose answers have so many bytes; gives its port and the set of its connections."""

    async def app(scope, receive, send):
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size})

    http = partial(Connection, **{"max_connections": 10, **limits})
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=http, ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),))
    thread.start()
    try:
        yield listener.getsockname()[1], server.server_state.connections
    finally:
        server.should_exit = server.force_exit = True
        thread.join(300)


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=300)


def is_cut_off(caller):
    """The server has closed the connection without an answer."""
    try:
        return caller.recv(1 << 16) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET", GET])
def test_a_head_that_does_not_come_is_not_waited_for(sent):
    with answering(head_s=0.2) as (port, _), dial(port) as caller:
        caller.sendall(sent)
        assert is_cut_off(caller)


def test_the_second_head_of_a_connection_is_not_waited_for_either():
    with answering(head_s=1.0) as (port, _), dial(port) as caller:
        caller.sendall(GET + b"\r\n")
        assert caller.recv(1 << 16).startswith(b"HTTP/1.1 200")
        caller.sendall(GET)
        until(lambda: is_cut_off(caller))


def test_a_head_over_the_limit_is_400():
    with answering() as (port, _), dial(port) as caller:
        caller.sendall(GET + b"a: " + b"b" * (connections.MAX_HEAD_BYTES + 1))
        assert caller.recv(1 << 16).startswith(b"HTTP/1.1 400 Bad Request")


def test_what_is_no_http_is_400_without_repeating_it():
    with answering() as (port, _), dial(port) as caller:
        caller.sendall(b"canaryxyzzy\r\n\r\n")
        answered = caller.makefile("rb").read()
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert b"canaryxyzzy" not in answered


def test_connections_beyond_the_limit_are_closed():
    with answering(max_connections=1) as (port, _), dial(port) as first:
        first.sendall(GET + b"\r\n")
        assert first.recv(1 << 16)
        with dial(port) as second:
            assert is_cut_off(second)
        first.sendall(GET + b"\r\n")
        assert first.recv(1 << 16)


@pytest.mark.parametrize("head", [GET, GET + b"connection: close\r\n"])
def test_a_reply_that_is_not_taken_is_given_up(monkeypatch, head):
    monkeypatch.setattr(connections, "KEEP_ALIVE_S", 0.2)
    with answering(LARGE) as (port, known), dial(port) as caller:
        caller.sendall(head + b"\r\n")
        assert caller.recv(1)
        until(lambda: not known)


def test_a_reply_that_is_taken_is_whole(monkeypatch):
    with answering(LARGE) as (port, _), dial(port) as caller:
        caller.sendall(GET + b"connection: close\r\n\r\n")
        assert len(caller.makefile("rb").read().partition(b"\r\n\r\n")[2]) == LARGE
