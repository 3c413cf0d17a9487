"""gRPC reflection for tools that ask for a method by its name, as ghz does; protobuf's pool finds no methods."""

from __future__ import annotations

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FileDescriptor, ServiceDescriptor
from grpc_reflection.v1alpha import reflection


class _Pool:
    """The default pool, which also knows the file of a method."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802  as the pool calls it
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            found: ServiceDescriptor = self._pool.FindServiceByName(service)
            return found.methods_by_name[method].containing_service.file

    def FindFileByName(self, name: str) -> FileDescriptor:  # noqa: N802
        return self._pool.FindFileByName(name)

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802
        return self._pool.FindMessageTypeByName(name)

    def __getattr__(self, name: str) -> object:
        return getattr(self._pool, name)


def enable_reflection(services: tuple[str, ...], server: grpc.aio.Server) -> None:
    """Serve reflection of these services, and of itself."""
    reflection.enable_server_reflection((*services, reflection.SERVICE_NAME), server, pool=_Pool())
