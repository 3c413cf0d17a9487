"""gRPC reflection for tools that ask for a method by its name, as ghz does; protobuf's pools find no methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias, TypeVar

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha import reflection_pb2 as pb

from polyseme.server.errors import ServerError
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.service import Service

Write: TypeAlias = Callable[[pb.ServerReflectionResponse], Awaitable[None]]
T = TypeVar("T")


class _Pools:
    """The pools of the services, as one which also knows the file of a method."""

    def __init__(self, services: Sequence[ServiceDescriptor]) -> None:
        self._pools = {id(service.file.pool): service.file.pool for service in services}

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802  as a pool calls it
        try:
            return self._first(lambda pool: pool.FindFileContainingSymbol(symbol))
        except KeyError:
            service, _, method = symbol.rpartition(".")
            found: ServiceDescriptor = self._first(lambda pool: pool.FindServiceByName(service))
            return found.methods_by_name[method].containing_service.file

    def FindFileByName(self, name: str) -> FileDescriptor:  # noqa: N802
        return self._first(lambda pool: pool.FindFileByName(name))

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802
        return self._first(lambda pool: pool.FindMessageTypeByName(name))

    def _first(self, find: Callable[[DescriptorPool], T]) -> T:
        """Give what the first pool finds; KeyError: none does."""
        *others, last = self._pools.values()
        for pool in others:
            with suppress(KeyError):
                return find(pool)
        return find(last)

    def __getattr__(self, name: str) -> object:
        return getattr(descriptor_pool.Default(), name)


class _Reflection:
    """Answers by grpc_reflection's own servicer, one request at a time."""

    def __init__(self, services: Sequence[ServiceDescriptor]) -> None:
        names = [service.full_name for service in services]
        self._servicer = reflection.aio.ReflectionServicer(names, pool=_Pools(services))

    async def info(
        self, requests: AsyncIterator[pb.ServerReflectionRequest | ServerError], _: Call, write: Write
    ) -> None:
        """Answer requests until there are no more."""
        async for request in requests:
            if isinstance(request, ServerError):
                raise request
            async for reply in self._servicer.ServerReflectionInfo(_only(request), None):
                await write(reply)


async def _only(request: T) -> AsyncIterator[T]:
    yield request


def reflection_service(services: Sequence[ServiceDescriptor]) -> Service:
    """Give reflection of these services, and of itself."""
    descriptor = pb.DESCRIPTOR.services_by_name["ServerReflection"]
    answers = _Reflection((*services, descriptor))
    return Service(
        descriptor=descriptor,
        methods={},
        streams={"ServerReflectionInfo": answers.info},
        prefix=f"{descriptor.full_name}/",
    )
