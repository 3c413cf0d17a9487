"""A real server on a socket, in a thread of this process, so that tests can look at both ends."""

import asyncio
import threading
from contextlib import contextmanager

import grpc
import pytest
from tests.server.faulty_engine import FaultyEngines

from polyseme.artifact import Artifact, Variant
from polyseme.server.app import App
from polyseme.server.config import ServerConfig
from polyseme.server.engine.local import LocalEngines
from polyseme.v1 import embedding_service_pb2_grpc, model_service_pb2_grpc, prediction_service_pb2_grpc

CANARY = "canaryxyzzy"  # stands in texts, and must not stand in statuses or logs


class Running:
    """A server that runs, and stubs that call it.

    Attributes:
        faults: what happens to its batches; see `faulty_engine`. None where the engines are plain.
    """

    def __init__(self, app, loop, faults):
        self.app = app
        self.faults = faults
        self.loop = loop
        self.target = f"127.0.0.1:{app.port}"
        self.channel = grpc.insecure_channel(
            self.target, options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        )
        self.embedding = embedding_service_pb2_grpc.EmbeddingServiceStub(self.channel)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    @property
    def model(self):
        return self.app.registry.models.default

    @property
    def layers_session(self):
        return self.model.engine.engine.sessions[Variant.LAYERS]

    def metric(self, name, **labels):
        """The value of a metric; 0 where nothing has been counted."""
        return self.app._metrics.registry.get_sample_value(name, labels) or 0

    def on_loop(self, coroutine):
        """Run a coroutine on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=300)

    def raw(self, method, data, timeout=300):
        """Call with bytes, get bytes."""
        return self.channel.unary_unary(f"/polyseme.v1.{method}")(data, timeout=timeout)


def load_engine(artifact, **settings):
    """The engine of an artifact, as a server makes it; not started."""
    return LocalEngines(ServerConfig(**settings), watchdog=None).load(artifact)


@contextmanager
def running(*artifacts, make_engines=FaultyEngines, **settings):
    config = ServerConfig(**{"host": "127.0.0.1", "port": 0, "metrics_port": 0, "drain_delay_s": 0, **settings})
    started, box, stop = threading.Event(), {}, None

    def make(*parts):
        box["engines"] = make_engines(*parts)
        return box["engines"]

    async def main():
        nonlocal stop
        stop = asyncio.Event()
        try:
            find = lambda: [Artifact.open(artifact) for artifact in artifacts]  # noqa: E731
            async with App(find, config, make_engines=make) as app:
                box["running"] = Running(app, asyncio.get_running_loop(), getattr(box["engines"], "faults", None))
                started.set()
                await stop.wait()
        except BaseException as error:
            box["error"] = error
            raise
        finally:
            started.set()

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="server")
    thread.start()
    assert started.wait(300)
    if "error" in box:
        thread.join()
        raise box["error"]
    try:
        yield box["running"]
    finally:
        box["running"].channel.close()
        box["running"].loop.call_soon_threadsafe(stop.set)
        thread.join(300)


def refused(call, code, *words):
    """The call fails with a status whose message has all words and no part of a text."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert code is error.value.code(), error.value.details()
    for word in words:
        assert word in error.value.details()
    assert CANARY not in error.value.details()
    assert "Traceback" not in error.value.details()
    return error.value
