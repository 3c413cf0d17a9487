"""A server double for each test that asks for one."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.client.fake_server import FakeServer, fake_server

from polyseme.client import AsyncClient, Client


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.target, timeout=300) as opened:
        yield opened


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Nobody listens there, and nobody else can."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


class _Async:
    """AsyncClient with the face of Client."""

    def __init__(self, target: str) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            async with AsyncClient(self._target, timeout=300) as client:
                return await getattr(client, name)(*args, **options)

        return lambda *args, **options: asyncio.run(call(*args, **options))


@pytest.fixture(params=["sync", "async"])
def either(request: pytest.FixtureRequest, server: FakeServer) -> Iterator[Any]:
    """A client of either kind, with the face of Client."""
    if request.param == "async":
        yield _Async(server.target)
    else:
        with Client(server.target, timeout=300) as client:
            yield client
