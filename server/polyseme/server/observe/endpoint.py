"""The HTTP port of the metrics: few threads, no connection that lasts. Who scrapes needs milliseconds of both."""

from __future__ import annotations

import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import TCPServer
from typing import Any, Final, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

log = logging.getLogger(__name__)

WSGIApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MOST_CONNECTIONS: Final = 8  # each has a thread; one more ends the oldest
LONGEST_S: Final = 10.0  # most seconds of one connection, however busy; Prometheus' own default of scrape_timeout
_SILENT_S: Final = 5.0  # most seconds of waiting for one read or write
_TICK_S: Final = 0.5  # seconds between two looks at the age of connections


class MetricsEndpoint:
    """Serves an application over HTTP on threads of its own until it is closed."""

    def __init__(
        self,
        app: WSGIApp,
        host: str,
        port: int,
        *,
        authorize: Callable[[str], bool] | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Bind and serve.

        Args:
            app: what is served.
            host: where to listen.
            port: 0: any free one.
            authorize: whether a request with this `Authorization` header may read; default: every one.
            tls: gives the context for the next connection; default: plain HTTP.

        Raises:
            OSError: the address cannot be had.
        """
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        self._server = _Server(family, (host, port), tls)
        self._server.set_app(app if authorize is None else _guarded(app, authorize))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK_S,), name="metrics", daemon=True
        )  # fmt: skip
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and end every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._server.end_older_than(0)


class _Server(WSGIServer):
    """Serves each connection on a thread, of which there are few."""

    request_queue_size = 32

    def __init__(self, family: int, address: tuple[str, int], tls: Callable[[], ssl.SSLContext] | None) -> None:
        self.address_family = family
        self._tls = tls
        self._began: dict[socket.socket, float] = {}  # when each open connection was accepted; the oldest first
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name, as http.server does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake of TLS is left to the connection's thread."""
        connection, address = self.socket.accept()
        connection.settimeout(_SILENT_S)
        if self._tls is not None:
            connection = self._tls().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  socketserver's types
        """Serve a connection on a thread of its own; where there are too many, in place of the oldest."""
        if not self._free.acquire(blocking=False):
            with self._lock:
                _end(next(iter(self._began), None))
            if not self._free.acquire(timeout=_TICK_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._began[request] = time.monotonic()
        threading.Thread(target=self._serve, args=(request, client_address), name="metrics-call", daemon=True).start()

    def service_actions(self) -> None:
        """End connections that last too long: a byte now and then must not keep a thread for ever."""
        self.end_older_than(LONGEST_S)

    def end_older_than(self, seconds: float) -> None:
        """End connections that were accepted so long ago; their threads end by themselves."""
        now = time.monotonic()
        with self._lock:
            for connection, began in self._began.items():
                if now - began >= seconds:
                    _end(connection)

    def _serve(self, connection: Any, address: Any) -> None:  # noqa: ANN401  socketserver's types
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            self.finish_request(connection, address)
        except Exception as error:  # whatever a stranger sends, the others are served
            log.debug("a connection to the metrics failed: %s", type(error).__name__)
        finally:
            with self._lock:
                del self._began[connection]
            self.shutdown_request(connection)
            self._free.release()


class _Handler(WSGIRequestHandler):
    """One request of one connection; logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  http.server's names
        """Log no request."""

    def get_stderr(self) -> Any:  # noqa: ANN401  wsgiref's type is of its own
        """Log no connection that broke off within a reply."""
        return io.StringIO()


def _end(connection: socket.socket | None) -> None:
    """End a connection whose thread may be reading or writing: not by TLS, which would wait for the other side."""
    if connection is not None:
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _guarded(app: WSGIApp, authorize: Callable[[str], bool]) -> WSGIApp:
    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if authorize(environ.get("HTTP_AUTHORIZATION", "")):
            return app(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
        return [b"authorization: Bearer TOKEN is needed\n"]

    return guarded
