"""The gRPC server: its address, its services, their health."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import grpc

from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.lifecycle.admission import Admission, open_to_all
from polyseme.server.memory.budget import UNASKED_BYTES
from polyseme.server.observe.calls import CallObserver
from polyseme.server.observe.tracing import NoTracing, Tracing
from polyseme.server.security.address import host_and_port
from polyseme.server.security.tls import server_credentials
from polyseme.server.security.unix_socket import grpc_address, make_room, owner_only
from polyseme.server.wire import protocols
from polyseme.server.wire.calls.adapter import Surroundings, generic_handler
from polyseme.server.wire.calls.call_tasks import use_call_tasks
from polyseme.server.wire.calls.identity import identifier
from polyseme.server.wire.calls.proxies import ForProxies
from polyseme.server.wire.calls.service import Service
from polyseme.server.wire.calls.transfers import Transfers
from polyseme.server.wire.health import Health
from polyseme.server.wire.reflection import reflection_service

_MOST_WAITING: Final = 1 << 20
_LONGEST_WAIT_S: Final = 3600


class Listener:
    """Serves services on one port, on a Unix socket, or on both.

    Health of the named services is readiness; health of "" is liveness and does not depend on load or loading.

    Attributes:
        port: where it listens, after `open`; 0: nowhere but on a socket.
    """

    def __init__(
        self,
        config: ServerConfig,
        services: Sequence[Service],
        admission: Admission,
        observer: CallObserver,
        tracing: Tracing,
        transfers: Transfers,
    ) -> None:
        """Hold the parts; `open` listens.

        Args:
            config: the settings.
            services: the services of the contract.
            admission: lets calls in.
            observer: is told of every call.
            tracing: traces the calls of `services`, not probes.
            transfers: waits for requests, and counts replies until they are taken.
        """
        self._config = config
        self._services = services
        self._admission = admission
        self._observer = observer
        self._tracing = tracing
        self._transfers = transfers
        self._health = Health()
        self._server: grpc.aio.Server | None = None
        self._stopping = asyncio.Lock()
        self._ready = False
        self.port = 0

    async def open(self) -> None:
        """Bind and listen: the server is alive, but not ready.

        Raises:
            ConfigError: there is no address, it is taken or not allowed, a TLS file is no good, or a trusted proxy is
                no address or network.
        """
        credentials = server_credentials(self._config)
        has_port = self._config.port >= 0
        # Before gRPC starts at all: a process that cannot listen then says why and ends without it.
        if has_port:
            _refuse_taken(self._config.host, self._config.port)
        elif not self._config.listen:
            raise ConfigError("--port -1: nobody could call; --listen names a Unix socket")
        if self._config.listen:
            make_room(self._config.listen)
        identify = identifier(self._config)
        guarded = Surroundings(
            admission=self._admission,
            identify=identify,
            observer=self._observer,
            transfers=self._transfers,
            tracing=self._tracing,
        )
        probes = protocols.probes(self._config, lambda: self._ready)
        open_ = replace(guarded, admission=open_to_all(), tracing=NoTracing())
        server = self._server = grpc.aio.server(options=_channel_options(self._config))
        use_call_tasks(asyncio.get_running_loop())
        server.add_generic_rpc_handlers(
            (
                *(generic_handler(service, open_) for service in probes),
                *(generic_handler(service, guarded) for service in self._services),
                ForProxies(generic_handler(self._health.service_for_proxies, open_)),
                *(generic_handler(service, open_) for service in self._open_services()),
            )
        )
        if has_port:
            self.port = _bind(server, host_and_port(self._config.host, self._config.port), credentials)
        if self._config.listen:
            with owner_only():
                _bind(server, grpc_address(self._config.listen), credentials=None)
        self.set_ready(False)
        await server.start()

    def set_ready(self, ready: bool) -> None:
        """Tell load balancers whether to send calls here."""
        self._ready = ready
        for service in self._services:
            self._health.set(service.descriptor.full_name, serving=ready)

    def _open_services(self) -> list[Service]:
        """Make the services that everybody may call at any time, as probes do."""
        if not self._config.reflection:
            return [self._health.service]
        descriptors = [service.descriptor for service in self._services]
        return [self._health.service, reflection_service((*descriptors, self._health.descriptor))]

    async def stop(self) -> None:
        """Stop at once; calls under way are cancelled."""
        # Two stops of a grpc.aio server at once can crash the process when its loop closes: one after the other.
        async with self._stopping:
            if self._server is not None:
                await self._server.stop(0)


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ConfigError(f"cannot listen on {address}") from error


def _refuse_taken(host: str, port: int) -> None:
    """Try the address before gRPC does, which would log lines of its own and not say why."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host_and_port(host, port)}: {error.strerror}") from error


def _channel_options(config: ServerConfig) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        ("grpc.so_reuseport", 0),  # two servers on one port would share calls without anybody knowing
        # The core of gRPC ends calls that wait for the event loop with a bare CANCELLED: from 1,000 on, and after 30 s.
        # They are to reach admission, which refuses them with RetryInfo and counts them.
        ("grpc.server.max_pending_requests", _MOST_WAITING),
        ("grpc.server.max_pending_requests_hard_limit", _MOST_WAITING),
        ("grpc.server_max_unrequested_time_in_server", _LONGEST_WAIT_S),
        # Bytes received before they are asked for. gRPC would raise them to megabytes a call on a fast network.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", UNASKED_BYTES),
        ("grpc.max_concurrent_streams", config.max_streams),
        ("grpc.http.overload_protection", 0),
        ("grpc.max_allowed_incoming_connections", config.max_connections),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.ping_timeout_ms", 20_000),  # of gRPC's other pings; keepalive's own ping waits behind them
        # Callers ping every 10 s at most (gRPC's proposal A8), the SDK every 12 s; half of that is never a strike.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
