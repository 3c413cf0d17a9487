"""A server double for each test that asks for one."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.client.fake_server import FakeServer, fake_server

from polyseme.client import Client


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.target) as opened:
        yield opened


@pytest.fixture
def closed_port() -> int:
    """Nobody listens there."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
