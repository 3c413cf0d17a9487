"""deploy/envoy.yaml before two servers, and the SDK with its defaults before Envoy: `make test-envoy`."""

import asyncio
import os
import socket
from pathlib import Path

import pytest
from bench.lib.envoy import envoy
from bench.load.failover import Trial, run
from tests.server.running import running

from polyseme.v1.embedding_service_pb2 import EmbedRequest

pytestmark = pytest.mark.envoy

DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0x0, 0x1, 0x3, 0x4, 0x6  # RFC 9113, 6
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_WINDOW = b"\x00\x04\x00\x00\x00\x00"  # SETTINGS_INITIAL_WINDOW_SIZE: 0


@pytest.fixture
def program():
    return Path(os.environ["POLYSEME_TEST_ENVOY"])


@pytest.mark.parametrize("fault", ["restart", "kill"])
def test_no_call_fails_while_one_of_two_servers_goes(tiny_artifact, program, fault):
    """Envoy looks at their health every half a second: they drain for longer, and are ready for longer in between."""
    trial = Trial(
        artifact=tiny_artifact, fault=fault, calls=2000, faults=4, callers=64, pause_s=3, drain_delay_s=3, envoy=program
    )
    outcome = asyncio.run(run(trial))
    assert outcome.failures == {}, outcome


def test_the_stream_of_a_caller_that_does_not_read_is_ended(tiny_artifact, program):
    with (
        running(tiny_artifact) as server,
        envoy(program, [server.target]) as target,
        socket.create_connection(target.split(":"), timeout=300) as connection,
    ):
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, NO_WINDOW) + embed("a"))
        assert RST_STREAM in frames_until(connection, RST_STREAM)


def embed(text):
    """The frames of a call, on stream 1."""
    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/polyseme.v1.EmbeddingService/Embed",
        b":authority": b"polyseme",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    # Literals without indexing and without Huffman's code; RFC 7541, 6.2.2.
    block = b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in headers.items()
    )
    message = EmbedRequest(texts=[text]).SerializeToString()
    data = b"\x00" + len(message).to_bytes(4, "big") + message
    return frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, data)


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def frames_until(connection, last):
    """The types of the frames that come, up to one; pings are answered."""
    reader, kinds = connection.makefile("rb"), []
    while not kinds or kinds[-1] != last:
        header = reader.read(9)
        assert header, kinds
        payload = reader.read(int.from_bytes(header[:3], "big"))
        kinds.append(header[3])
        if kinds[-1] == PING and not header[4] & ACK:
            connection.sendall(frame(PING, ACK, 0, payload))
    return kinds
