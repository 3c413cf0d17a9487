"""A server double for each test that asks for one."""

from collections.abc import Iterator

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
