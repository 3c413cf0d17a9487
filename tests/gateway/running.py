"""A real gateway on a socket, in a thread of this process, before a real server or none."""

import asyncio
import http.client
import json
import socket
import threading
import time
from contextlib import closing, contextmanager
from functools import partial

from polyseme.client import AsyncClient
from polyseme.gateway.config import GatewayConfig
from polyseme.gateway.serving import Gateway

PATIENCE_S = 300


def until(condition):
    """Return when the condition holds, however long that takes."""
    while not condition():
        time.sleep(0.01)


class Answered:
    """An answer, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class RunningGateway:
    """A gateway that runs."""

    def __init__(self, gateway, loop):
        self.gateway = gateway
        self.loop = loop
        self.port = gateway.port
        self.url = f"http://127.0.0.1:{self.port}"

    def connect(self):
        return closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S))

    def ask(self, path, body=None, *, method=None, **headers):
        """Ask over a connection of its own; underscores of headers are hyphens, a body that is no bytes is JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            named.setdefault("content-type", "application/json")
        with self.connect() as connection:
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            return Answered(connection.getresponse())

    def embed(self, given="a", /, **fields):
        return self.ask("/v1/embeddings", {"input": given, **fields})

    def raw(self):
        """A socket of a caller that is not to be trusted with HTTP."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)


@contextmanager
def gateway_to(target, **settings):
    box, ready = {}, threading.Event()

    async def main():
        box["loop"] = asyncio.get_running_loop()
        box["gateway"] = Gateway(GatewayConfig(**{"port": 0, **settings}), partial(AsyncClient, target))
        ready.set()
        await box["gateway"].run()

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="gateway")
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield RunningGateway(box["gateway"], box["loop"])
    finally:
        box["loop"].call_soon_threadsafe(box["gateway"].stop)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
