"""A caller that means ill: gRPC calls over HTTP/2 of its own, left half done as it likes."""

from __future__ import annotations

import socket
import struct
import time
from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.settings

_PIECE: Final = 1 << 16
Status = tuple[int, str]  # of gRPC; -1 where the stream was reset without one, with HTTP/2's reason


def framed(message: bytes) -> bytes:
    """A message as gRPC frames it."""
    return b"\0" + struct.pack(">I", len(message)) + message


class RawCaller:
    """One connection.

    Attributes:
        ended: the status of each call that the server has ended, by stream.
        received: bytes of replies.
        http2: knows the settings of both sides.
    """

    def __init__(self, target: str, *, window: int = 65535) -> None:
        """Connect.

        Args:
            target: `host:port`.
            window: bytes of each reply that the server may send; no more are ever allowed.
        """
        host, _, port = target.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(validate_inbound_headers=False))
        code = h2.settings.SettingCodes
        initial = {code.INITIAL_WINDOW_SIZE: window, code.ENABLE_PUSH: 0, code.MAX_FRAME_SIZE: 16384}
        self.http2.local_settings = h2.settings.Settings(client=True, initial_values=initial)
        self.http2.initiate_connection()
        self._flush()
        self.ended: dict[int, Status] = {}
        self.received = 0

    def begin(self, method: str) -> int:
        """Begin a call, `Service/Method`; gives its stream."""
        stream = self.http2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", f"/{method}"), (":authority", "raw")]
        self.http2.send_headers(stream, [*headers, ("content-type", "application/grpc"), ("te", "trailers")])
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, last: bool, patience_s: float = 300.0) -> bool:
        """Send bytes of a call as the server takes them; False where it ended the call, or took none for so long."""
        rest = memoryview(data)
        end = time.monotonic() + patience_s
        while rest and stream not in self.ended and time.monotonic() < end:
            size = min(self.http2.local_flow_control_window(stream), self.http2.max_outbound_frame_size, len(rest))
            if size <= 0:
                self.listen(0.01)
                continue
            self.http2.send_data(stream, bytes(rest[:size]), end_stream=last and size == len(rest))
            self._flush()
            rest = rest[size:]
        return not rest

    def call(self, method: str, message: bytes) -> int:
        """Begin a call and send all of its request; gives its stream."""
        stream = self.begin(method)
        self.send(stream, framed(message), last=True)
        return stream

    def listen(self, seconds: float) -> None:
        """Take what the server sends in the next seconds, or has sent."""
        end = time.monotonic() + seconds
        while True:
            self._socket.settimeout(max(end - time.monotonic(), 1e-6))
            try:
                data = self._socket.recv(_PIECE)
            except TimeoutError:
                return
            finally:
                self._socket.settimeout(None)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            for event in self.http2.receive_data(data):
                self._note(event)
            self._flush()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            self.received += len(event.data)
        elif isinstance(event, (h2.events.TrailersReceived, h2.events.ResponseReceived)):
            headers = {_text(name): _text(value) for name, value in event.headers}
            if "grpc-status" in headers:
                self.ended[event.stream_id] = int(headers["grpc-status"]), headers.get("grpc-message", "")
        elif isinstance(event, h2.events.StreamReset):
            self.ended.setdefault(event.stream_id, (-1, str(event.error_code)))

    def _flush(self) -> None:
        if data := self.http2.data_to_send():
            self._socket.sendall(data)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
