"""A server's life: check, bind, load, serve, drain, stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from polyseme.artifact import Artifact, ArtifactError
from polyseme.runtime.engines.onnxruntime.session import runtime_version
from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
from polyseme.server.config import ServerConfig
from polyseme.server.engine.watchdog import Vitals
from polyseme.server.errors import ConfigError
from polyseme.server.lifecycle.admission import Gate
from polyseme.server.models.directories import open_artifacts
from polyseme.server.models.registry import Key, Models, Registry, default_of, key_of
from polyseme.server.models.served import ServedModel
from polyseme.server.observe.metrics import Metrics
from polyseme.server.scheduling import Pool
from polyseme.server.security.tls import Tokens, server_credentials
from polyseme.server.wire.calls import generic_handler
from polyseme.server.wire.reflection import enable_reflection
from polyseme.server.wire.v1 import EmbeddingService, EmbeddingStream, ModelService

log = logging.getLogger(__name__)

_SERVICES = (EmbeddingService.descriptor.full_name, ModelService.descriptor.full_name)
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
LOST = 70  # EX_SOFTWARE of sysexits.h
_LAST_WORDS_S = 0.5
_NOT_RELOADED = "NOT RELOADED, still serving what was served before"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be served, by name and version, in the order that was asked for; and which of it is the default."""

    artifacts: Mapping[Key, Artifact]
    default: Key


class App:
    """One server on one port. Use as an async context manager: inside it serves, on leaving it drains and stops.

    Health of the named services is readiness; health of "" is liveness and does not depend on load or loading.
    """

    def __init__(self, find_artifacts: Callable[[], Sequence[Artifact]], config: ServerConfig) -> None:
        """Take what is to be served.

        Args:
            find_artifacts: gives checked artifacts, at start and whenever they are to be looked for again.
            config: the settings.

        Raises:
            ConfigError: the tokens cannot be read.
        """
        self._find_artifacts = find_artifacts
        self._config = config
        self._metrics = Metrics()
        self._gate = Gate(config.max_concurrent_calls, Tokens(config.token_file))
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._stopping = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self._pool: Pool | None = None
        self.vitals = Vitals(config.max_run_s)
        self.registry = Registry()
        self.port = 0

    async def __aenter__(self) -> App:
        """Bind, then load the models, then let calls in.

        Raises:
            ArtifactError: an artifact is not what export wrote.
            ConfigError: a port cannot be had, a model is given twice, or the default model is not among them.
            RuntimeUnavailableError, TokenizerError: a model cannot be loaded.
        """
        wanted = self._look()
        try:
            async with self._reloading:
                await self._listen()
                self.registry.models = await self._load(wanted)
            self._gate.open()
            await self._health_of_services(_SERVING)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._health_of_services(_NOT_SERVING)
        await self._close()

    async def drain(self) -> None:
        """Tell load balancers to go elsewhere, give them time to hear it, then let calls under way end.

        In this order no call fails but those sent after the drain began.
        """
        await self._health_of_services(_NOT_SERVING)
        log.info("draining: NOT_SERVING, refusing calls in %g s", self._config.drain_delay_s)
        await asyncio.sleep(self._config.drain_delay_s)
        # grpcio's own stop would end calls that it has received and not yet begun with CANCELLED, which nobody retries:
        # so they are refused with UNAVAILABLE first, until callers have stopped coming.
        self._gate.close("draining: the server is about to stop")
        await self._gate.wait_until_quiet(self._config.grace_s)
        await self._stop()

    async def give_up(self) -> NoReturn:
        """End the process once nothing can be run any more, so that it is started again; exit status 70."""
        log.critical("CANNOT RUN ANYTHING ANY MORE: %s; exit status %d, to be started again", self.vitals.reason, LOST)
        await self._health_of_services(_NOT_SERVING)
        self._gate.close("the server is about to stop")
        await asyncio.sleep(_LAST_WORDS_S)  # callers of what failed, and load balancers, hear of it
        os._exit(LOST)  # not by way of the device's libraries, which may hang

    async def reload(self) -> None:
        """Serve what is to be found now; models that are served already go on.

        New ones are loaded beside the old ones and take their place at once: a call is answered by one set of models.
        Old ones end when the last call has that began before. What cannot be had changes nothing.

        Raises:
            ArtifactError, ConfigError, RuntimeUnavailableError, TokenizerError: as at the start.
        """
        async with self._reloading:
            models = await self._load(await asyncio.to_thread(self._look))
            old = [model for model in self.registry.models if models.get(key_of(model)) is not model]
            self.registry.models = models
            announce_all(models, self._config, self.port)
        await self._gate.wait_until_left()
        for model in old:
            await model.close()
            if self.registry.models.get(key_of(model)) is None:  # it may have come back
                self._metrics.forget(*key_of(model))
            log.info("no longer served: %s@%s", *key_of(model))

    def _look(self) -> _Wanted:
        found = [((one.manifest.name, one.manifest.version), one) for one in self._find_artifacts()]
        return _Wanted(dict(found), default_of([key for key, _ in found], self._config.default_model))

    async def _load(self, wanted: _Wanted) -> Models:
        """Load and start what is not served yet."""
        served = self.registry.models
        missing = [artifact for key, artifact in wanted.artifacts.items() if served.get(key) is None]
        new = await asyncio.to_thread(_load_all, missing, self._config)
        for model in new:
            self._start(model)
        models = {key_of(model): model for model in (*served, *new)}
        return Models([models[key] for key in wanted.artifacts], wanted.default)

    def _start(self, model: ServedModel) -> None:
        """Give it metrics and runners; all models on the CPU share theirs."""
        if model.shares_runners and self._pool is None:
            self._pool = Pool(model.runners)
        metrics = self._metrics.of_model(model.manifest.name, model.version)
        model.start(metrics, self.vitals, self._pool if model.shares_runners else None)
        metrics.watch(model.scheduler)

    async def _listen(self) -> None:
        credentials = server_credentials(self._config)
        # Before gRPC is begun at all: a process that only has to say why it cannot listen then ends without it.
        _refuse_taken(self._config.host, self._config.port)
        server = self._server = grpc.aio.server(options=_channel_options(self._config))
        embedding, models = EmbeddingService(self.registry, self._config), ModelService(self.registry, self._config)
        streams = EmbeddingStream(embedding, self._config)
        server.add_generic_rpc_handlers(
            (
                generic_handler(embedding.descriptor, embedding.methods, self._gate, self._metrics, streams.methods),
                generic_handler(models.descriptor, models.methods, self._gate, self._metrics),
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._config.reflection:
            enable_reflection((*_SERVICES, health.SERVICE_NAME), server)
        self.port = _bind(server, self._config, credentials)
        self._metrics.watch("polyseme_calls_in_flight", "Calls under way.", lambda: float(self._gate.calls))
        if self._config.metrics_port:
            self._metrics.listen(self._config.host, self._config.metrics_port)
        await self._health.set("", _SERVING)
        await self._health_of_services(_NOT_SERVING)
        await server.start()

    async def _health_of_services(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in _SERVICES:
            await self._health.set(service, status)

    async def _stop(self) -> None:
        # Two stops of a grpc.aio server at once can crash the process when its loop closes: one after the other.
        async with self._stopping:
            if self._server is not None:
                await self._server.stop(0)

    async def _close(self) -> None:
        await self._stop()
        for model in self.registry.models:
            await model.close()
        if self._pool is not None:
            await self._pool.close()
        self._metrics.close()


def serve(directories: Sequence[Path], config: ServerConfig) -> None:
    """Serve artifacts until SIGTERM or SIGINT, then drain. A second signal stops at once.

    Args:
        directories: artifacts, or folders of artifacts.
        config: the settings.

    Raises:
        ArtifactError: an artifact is not what export wrote.
        ConfigError: a setting cannot be had.
        RuntimeUnavailableError, TokenizerError: a model cannot be loaded.
    """
    logging.basicConfig(level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_serve(lambda: open_artifacts(directories), config))


async def _serve(find_artifacts: Callable[[], Sequence[Artifact]], config: ServerConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    app, reloads = App(find_artifacts, config), set[asyncio.Task[None]]()

    def reload() -> None:
        task = loop.create_task(_reload(app))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    async with app:
        announce_all(app.registry.models, config, app.port)
        lost = asyncio.create_task(app.vitals.wait_until_lost())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([lost, stopped], return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            await app.give_up()
        for task in (lost, *reloads):
            task.cancel()
        await app.drain()
    log.info("stopped")


async def _reload(app: App) -> None:
    try:
        await app.reload()
    except (ArtifactError, ConfigError, RuntimeUnavailableError, TokenizerError) as error:
        log.error("%s: %s", _NOT_RELOADED, error)  # noqa: TRY400  one line, which says it all
    except Exception:  # whatever it is, it must not end the server
        log.exception(_NOT_RELOADED)


def _on_signal(stop: asyncio.Event) -> None:
    if stop.is_set():
        log.warning("second signal: stopping at once")
        os._exit(130)
    stop.set()


def announce_all(models: Models, config: ServerConfig, port: int) -> None:
    """Say what is served, a line each."""
    for model in models:
        announce(model, config, port, is_default=model is models.default)


def announce(model: ServedModel, config: ServerConfig, port: int, *, is_default: bool = True) -> None:
    """Say in one line what is served, and loudly where it is not what was asked for."""
    if model.device.fell_back:
        log.warning("NO CUDA, RUNNING ON CPU: %s (--device cpu to accept, cuda to refuse)", model.device.fell_back)
    policy = model.policy
    log.info(
        "serving %s@%s%s on %s:%d | %s, %s, onnxruntime %s, %d runner(s) x %d thread(s) | max %d tokens a text, "
        "%d texts a call, %d bytes a text, batch %d tokens / %d texts, queue %d tokens",
        model.manifest.name,
        model.version,
        " (default)" if is_default else "",
        config.host,
        port,
        model.device.precision.value,
        model.device.execution_provider,
        runtime_version(),
        model.runners,
        config.intra_op_threads,
        model.spec.max_tokens,
        config.max_texts,
        config.max_text_bytes,
        policy.max_batch_tokens,
        policy.max_batch_texts,
        policy.max_queue_tokens,
    )


def _load_all(artifacts: Sequence[Artifact], config: ServerConfig) -> list[ServedModel]:
    """All of them, or none."""
    models: list[ServedModel] = []
    try:
        for artifact in artifacts:
            models.append(ServedModel.load(artifact, config))  # noqa: PERF401  those before are to be released
    except BaseException:
        for model in models:
            model.release()
        raise
    return models


def _bind(server: grpc.aio.Server, config: ServerConfig, credentials: grpc.ServerCredentials | None) -> int:
    address = f"[{config.host}]:{config.port}" if ":" in config.host else f"{config.host}:{config.port}"
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ConfigError(f"cannot listen on {address}") from error


def _refuse_taken(host: str, port: int) -> None:
    """Try the address before gRPC does, which would log lines of its own and not say why."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _channel_options(config: ServerConfig) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        ("grpc.so_reuseport", 0),  # two servers on one port would share calls without anybody knowing
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
