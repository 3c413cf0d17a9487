"""One server: its parts, put together, and the order in which they begin and end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NoReturn, TypeAlias

from polyseme.artifact import Artifact
from polyseme.server.config import ServerConfig
from polyseme.server.engine.local import LocalEngines
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.inference.validation import Limits
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.lifecycle.announcement import announce_all, announce_memory, warn_if_open
from polyseme.server.lifecycle.models import Engines, ModelLifecycle
from polyseme.server.memory.budget import UNASKED_BYTES, Budget
from polyseme.server.memory.machine import connections_within, memory_limit, resident_bytes
from polyseme.server.memory.watch import MemoryWatch, room_for_calls
from polyseme.server.models.registry import Registry
from polyseme.server.observe.access import AccessLog
from polyseme.server.observe.calls import Observers
from polyseme.server.observe.metrics import Metrics
from polyseme.server.observe.tracing import tracing_for
from polyseme.server.security.tls import metrics_context
from polyseme.server.security.tokens import Tokens
from polyseme.server.wire import protocols
from polyseme.server.wire.calls.service import Service
from polyseme.server.wire.calls.transfers import Transfers
from polyseme.server.wire.listener import Listener

log = logging.getLogger(__name__)

LOST: Final = 70  # EX_SOFTWARE of sysexits.h
_LAST_WORDS_S: Final = 0.5

MakeEngines: TypeAlias = Callable[[ServerConfig, Watchdog], Engines]
MakeServices: TypeAlias = Callable[[Registry, Limits, ServerConfig], Sequence[Service]]


class App:
    """One server on one port. Use as an async context manager: inside it serves, on leaving it stops.

    Attributes:
        registry: the models that it serves.
        watchdog: knows when nothing can be run any more.
    """

    def __init__(
        self,
        find_artifacts: Callable[[], Sequence[Artifact]],
        config: ServerConfig,
        *,
        make_engines: MakeEngines = LocalEngines,
        make_services: MakeServices = protocols.services,
        before_open: Callable[[], None] = lambda: None,
    ) -> None:
        """Put the parts together.

        Args:
            find_artifacts: gives checked artifacts, at start and whenever they are to be looked for again.
            config: the settings.
            make_engines: gives what runs models.
            make_services: gives what is served.
            before_open: called when the models are loaded, before the first call is let in.

        Raises:
            ConfigError: the tokens cannot be read.
        """
        self._config = config
        self._before_open = before_open
        self._metrics = Metrics()
        self._tracing = tracing_for(os.environ, self._metrics)
        self._memory_limit = memory_limit(config.max_memory)
        if not config.max_connections:
            each = config.max_streams * UNASKED_BYTES
            config = self._config = replace(config, max_connections=connections_within(self._memory_limit, each))
        self._budget = Budget()
        transfers = Transfers(self._budget, config.max_transfer_s, config.max_message_bytes, self._metrics)
        self._memory = MemoryWatch(self._memory_limit, self._budget, transfers)
        self._watching: asyncio.Task[None] | None = None
        self._admission = Admission(config.max_concurrent_calls, Tokens(config.token_file), self._budget)
        self.registry = Registry()
        self.watchdog = Watchdog(config.max_run_s)
        engines = make_engines(config, self.watchdog)
        self._models = ModelLifecycle(find_artifacts, config, self.registry, engines, self._metrics, self._tracing)
        services = make_services(self.registry, _limits(config), config)
        observers = Observers([self._metrics, *([AccessLog()] if config.access_log else [])])
        self._listener = Listener(config, services, self._admission, observers, self._tracing, transfers)
        self._metrics.watch_memory(self._budget, lambda: transfers.requests, resident_bytes)

    @property
    def port(self) -> int:
        """The port that it listens on; 0: it listens on a Unix socket alone."""
        return self._listener.port

    async def __aenter__(self) -> App:
        """Bind, then load the models, then let calls in.

        Raises:
            ArtifactError: an artifact is not what export wrote.
            ConfigError: a port cannot be had, a model is given twice, the default model is not among them, or
                --max-memory has no room for calls.
            RuntimeUnavailableError, TokenizerError: a model cannot be loaded.
        """
        self._models.look()
        try:
            await self._listener.open()
            warn_if_open(self._config)
            self._metrics.calls_in_flight.set_function(lambda: float(self._admission.calls))
            self._listen_for_metrics()
            await self._models.load()
            self._budget.limit = room_for_calls(self._config.max_memory, self._memory_limit, resident_bytes())
            self._watching = asyncio.create_task(self._memory.run())
            self._before_open()
            self._admission.open()
            self._listener.set_ready(True)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.set_ready(False)
        await self._close()

    async def reload(self) -> None:
        """Look for models again, and serve those that are there now; see `ModelLifecycle.reload`.

        Raises:
            ArtifactError, ConfigError, RuntimeUnavailableError, TokenizerError: as at the start.
        """
        await self._models.reload(self._admission, self.announce)

    def announce(self) -> None:
        """Log what is served."""
        announce_all(self.registry.models, self._config, self.port)

    def announce_memory(self) -> None:
        """Log the limits of memory."""
        announce_memory(self._config, self._memory_limit, self._budget.limit)

    async def drain(self) -> None:
        """Tell load balancers to go elsewhere, give them time to hear it, then let calls under way end.

        In this order no call fails but those sent after the drain began.
        """
        self._listener.set_ready(False)
        log.info("draining: NOT_SERVING, refusing calls in %g s", self._config.drain_delay_s)
        await asyncio.sleep(self._config.drain_delay_s)
        # grpcio's own stop would end calls that it has received and not yet begun with CANCELLED, which nobody retries:
        # so they are refused with UNAVAILABLE first, until callers have stopped coming.
        self._admission.close("draining: the server is about to stop")
        await self._admission.wait_until_quiet(self._config.grace_s)
        await self._listener.stop()

    async def give_up(self) -> NoReturn:
        """End the process with exit status 70 once nothing can be run any more, so that it is started again."""
        log.critical(
            "CANNOT RUN ANYTHING ANY MORE: %s; exit status %d, to be started again", self.watchdog.reason, LOST
        )
        self._listener.set_ready(False)
        self._admission.close("the server is about to stop")
        await asyncio.sleep(_LAST_WORDS_S)  # callers of what failed, and load balancers, hear of it
        os._exit(LOST)  # not by way of the device's libraries, which may hang

    def _listen_for_metrics(self) -> None:
        config = self._config
        if not config.metrics_port:
            return
        tokens = Tokens(config.metrics_token_file, flag="--metrics-token-file")
        authorize = tokens.admits if tokens.needed else None
        self._metrics.listen(config.host, config.metrics_port, authorize=authorize, tls=metrics_context(config))

    async def _close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await self._listener.stop()
        await self._models.close()
        await self._tracing.close()
        self._metrics.close()


def _limits(config: ServerConfig) -> Limits:
    return Limits(
        max_texts=config.max_texts,
        max_text_bytes=config.max_text_bytes,
        max_spans=config.max_spans,
        max_reply_bytes=config.max_message_bytes,
    )
