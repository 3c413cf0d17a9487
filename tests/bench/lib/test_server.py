import random

import pytest
from bench.lib.server import free_port


def test_a_port_is_given_once(monkeypatch):
    """To this process or another: the kernel has one list of names for all."""
    ports = [free_port(), *random.sample(range(19_000, 20_000), 2)]
    monkeypatch.setattr(random, "sample", lambda *_: ports)
    assert [free_port(), free_port()] == ports[1:]
    with pytest.raises(OSError, match="no port is free"):
        free_port()
