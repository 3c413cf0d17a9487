import socket
from contextlib import closing

import pytest
from tests.gateway.running import gateway_to
from tests.server.running import running


@pytest.fixture(scope="package")
def server(tiny_artifact):
    """A real server of a tiny model."""
    with running(tiny_artifact, max_text_bytes=4096, runners=1) as it:
        yield it


@pytest.fixture(scope="package")
def gateway(server):
    """A gateway to it, with limits that are soon reached."""
    with gateway_to(server.target, max_body_bytes=64 << 10, max_inputs=1030, grace_s=300) as it:
        yield it


@pytest.fixture
def nobody():
    """A target where nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{listener.getsockname()[1]}"
