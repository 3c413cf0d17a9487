"""grpc.health.v1.Health: whether services may be called, asked once or watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final

from grpc_health.v1 import health_pb2 as pb

from polyseme.server.errors import InvalidInputError, ServerError, UnknownServiceError
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.service import Method, Service, StreamMethod

_SERVING: Final = pb.HealthCheckResponse.SERVING
_NOT_SERVING: Final = pb.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN: Final = pb.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """The health of services. The server's own, named "", is SERVING as long as it answers at all."""

    descriptor = pb.DESCRIPTOR.services_by_name["Health"]

    def __init__(self) -> None:
        self._statuses = {"": _SERVING}
        self._changed = asyncio.Event()

    def set(self, service: str, *, serving: bool) -> None:
        """Say whether a service may be called, and tell those who watch."""
        self._statuses[service] = _SERVING if serving else _NOT_SERVING
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def service(self) -> Service:
        """The methods of Health; where grpcio-health-checking is too old to know List, List answers UNIMPLEMENTED."""
        methods: Mapping[str, Method] = {"Check": self.check, "List": self.list}
        streams: Mapping[str, StreamMethod] = {"Watch": self.watch}
        return Service(descriptor=self.descriptor, methods=methods, streams=streams, prefix=f"{self.name}/")

    @property
    def service_for_proxies(self) -> Service:
        """The methods of Health for calls that a proxy passed on.

        A caller's gRPC library watches one server through a proxy and takes it for all of them. While that server
        drains, the library would send nothing to the others. So `Watch` says SERVING here, and the proxy itself finds
        out by `Check` which server serves.
        """
        streams: Mapping[str, StreamMethod] = {"Watch": self.watch_steadily}
        return Service(descriptor=self.descriptor, methods={}, streams=streams, prefix=f"{self.name}/")

    @property
    def name(self) -> str:
        """The full name of the Health service itself."""
        return str(self.descriptor.full_name)

    async def check(self, request: pb.HealthCheckRequest, _: Call) -> pb.HealthCheckResponse:
        """Tell the health of one service.

        Raises:
            UnknownServiceError: there is no such service.
        """
        status = self._statuses.get(request.service)
        if status is None:
            raise UnknownServiceError("health of this service is not known here")
        return pb.HealthCheckResponse(status=status)

    async def list(self, _: object, __: Call) -> pb.HealthListResponse:
        """Tell the health of all services."""
        every = {name: pb.HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        return pb.HealthListResponse(statuses=every)

    async def watch(
        self,
        requests: AsyncIterator[pb.HealthCheckRequest | ServerError],
        _: Call,
        write: Callable[[pb.HealthCheckResponse], Awaitable[None]],
    ) -> None:
        """Tell the health of one service, now and whenever it changes, until the caller leaves."""
        request = await _first(requests)
        told = None
        while True:
            changed = self._changed  # taken before the status: a change during a write is told next
            status = self._statuses.get(request.service, _SERVICE_UNKNOWN)
            if status != told:
                await write(pb.HealthCheckResponse(status=status))
                told = status
            await changed.wait()

    async def watch_steadily(
        self,
        requests: AsyncIterator[pb.HealthCheckRequest | ServerError],
        _: Call,
        write: Callable[[pb.HealthCheckResponse], Awaitable[None]],
    ) -> None:
        """Tell SERVING of any service that there is, whatever its health, until the caller leaves."""
        request = await _first(requests)
        known = request.service in self._statuses
        await write(pb.HealthCheckResponse(status=_SERVING if known else _SERVICE_UNKNOWN))
        await asyncio.Event().wait()


async def _first(requests: AsyncIterator[pb.HealthCheckRequest | ServerError]) -> pb.HealthCheckRequest:
    async with aclosing(requests) as reading:  # type: ignore[type-var]
        request = await anext(reading, None)
    if request is None:
        raise InvalidInputError("no request was sent")
    if isinstance(request, ServerError):
        raise request
    return request
