"""The process of a gateway: run until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Protocol

import uvicorn

from polyseme.client import AsyncClient
from polyseme.gateway.app import make_app
from polyseme.gateway.caller import current_key, current_metadata
from polyseme.gateway.config import GatewayConfig
from polyseme.gateway.connections import KEEP_ALIVE_S, Connection

log: Final = logging.getLogger(__name__)

_BACKLOG: Final = 2048


class Connect(Protocol):
    """Opens a client of the server, with what each call of it carries."""

    def __call__(
        self,
        *,
        token: Callable[[], str | None],
        metadata: Callable[[], tuple[tuple[str, str], ...]],
        timeout: float,
    ) -> AsyncClient:
        """Open a client."""


class Gateway:
    """A gateway that listens; `run` answers requests until `stop`.

    Attributes:
        port: that it listens on.
    """

    def __init__(self, config: GatewayConfig, connect: Connect) -> None:
        """Listen, and answer nobody yet.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._config = config
        self._connect = connect
        self._socket = _listening_socket(config.host, config.port)
        self.port: int = self._socket.getsockname()[1]
        self._server: _Server | None = None
        self._stopped = False

    async def run(self) -> None:
        """Answer requests until `stop`; then let those under way end, for `grace_s` at most."""
        config = self._config
        connect = self._connect
        async with connect(token=current_key, metadata=current_metadata, timeout=config.timeout_s) as client:
            settings = uvicorn.Config(
                make_app(client, config),
                http=partial(Connection, max_connections=config.max_connections),  # type: ignore[arg-type]
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # the server reads x-forwarded-for, where it trusts this gateway
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=config.grace_s,  # type: ignore[arg-type]  # it only waits for it
            )
            self._server = _Server(settings)
            self._server.should_exit = self._stopped
            await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Take no more requests, and end once those under way have ended. A second call ends it at once."""
        if self._server is not None:
            self._server.force_exit = self._stopped
            self._server.should_exit = True
        self._stopped = True


def serve(config: GatewayConfig, connect: Connect, *, before: str) -> None:
    """Run a gateway until SIGTERM or SIGINT; a second signal ends it at once.

    Args:
        config: the settings.
        connect: opens the client of the server.
        before: names the server, for the log.

    Raises:
        OSError: the address cannot be listened on.
    """
    _log_to_stderr()
    gateway = Gateway(config, connect)
    asyncio.run(_serve(gateway, config, before))
    log.info("stopped")


async def _serve(gateway: Gateway, config: GatewayConfig, before: str) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_fault)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gateway.stop)
    host = f"[{config.host}]" if ":" in config.host else config.host
    log.info("http://%s:%d/ is a gateway to %s", host, gateway.port, before)
    if not _is_loopback(config.host):
        log.warning("--host %s: other machines may call, and keys travel in plaintext: put TLS before it", config.host)
    await gateway.run()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`: uvicorn would raise them again, and end the process by them."""
        yield


class _OneLine(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802  logging's name
        """Name the error alone: its message may hold a text."""
        return getattr(ei[0], "__name__", "")


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("polyseme.gateway").setLevel(logging.INFO)


def _log_fault(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    log.error("event loop: %s: %s", context.get("message"), type(context.get("exception")).__name__)


def _listening_socket(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG, reuse_port=False)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
