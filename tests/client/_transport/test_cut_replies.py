"""Replies that a proxy cuts, with RST_STREAM, where it loses its server."""

import socket
import threading
from contextlib import contextmanager

import grpc
import h2.config
import h2.connection
import h2.events
import numpy as np
import pytest
from tests.client.fake_server import vector_of

from polyseme.client import Client, UnavailableError

CUT = (grpc.StatusCode.INTERNAL, "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))")
OPTIONS = [("grpc.inhibit_health_checking", 1)]  # the proxy below has no health


def serve(listening, calls):
    """Begin to answer every call of one connection, and reset it."""
    connection = listening.accept()[0]
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    http2.initiate_connection()
    connection.sendall(http2.data_to_send())
    while data := connection.recv(1 << 16):
        for event in http2.receive_data(data):
            if isinstance(event, h2.events.StreamEnded):
                calls.append(event.stream_id)
                http2.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
                http2.reset_stream(event.stream_id, error_code=2)
        connection.sendall(http2.data_to_send())
    connection.close()


@contextmanager
def cutting_proxy():
    """Gives a target, and the calls that come to it."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening, calls))
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", calls
        thread.join()


def test_a_call_whose_reply_is_cut_is_sent_again_once():
    """Holds the words that gRPC has for it, whatever its version."""
    with cutting_proxy() as (target, calls), Client(target, options=OPTIONS) as client:
        with pytest.raises(UnavailableError, match="RST_STREAM"):
            client.embed("a", timeout=300)
        assert len(calls) == 2


def test_a_call_whose_reply_is_cut_once_is_answered(server):
    server.faults.failures = [CUT]
    with Client(server.target) as client:
        np.testing.assert_array_equal(client.embed("a"), vector_of("a"))
    assert server.faults.calls["Embed"] == 2
