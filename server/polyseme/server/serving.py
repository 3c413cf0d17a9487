"""The process of a server: run until a signal or a lost device ends it."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from polyseme.artifact import ArtifactError
from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
from polyseme.server.app import App, MakeEngines, MakeServices
from polyseme.server.config import ServerConfig
from polyseme.server.engine.local import LocalEngines
from polyseme.server.errors import ConfigError
from polyseme.server.lifecycle.signals import hold_signals, obey_signals
from polyseme.server.lifecycle.users import end_without_users
from polyseme.server.models.directories import open_artifacts
from polyseme.server.observe.log_lines import log_exceptions_of, log_to_stderr
from polyseme.server.wire import protocols

log = logging.getLogger(__name__)

_NOT_RELOADED: Final = "NOT RELOADED, still serving what was served before"


def serve(
    directories: Sequence[Path],
    config: ServerConfig,
    *,
    warning: str = "",
    make_engines: MakeEngines = LocalEngines,
    make_services: MakeServices = protocols.services,
) -> None:
    """Serve artifacts until SIGTERM or SIGINT, then drain. A second signal stops at once; SIGHUP reloads.

    Before it serves, SIGTERM and SIGINT end the process at once, and SIGHUP waits.

    Args:
        directories: artifacts, or folders of artifacts.
        config: the settings.
        warning: a line to log first; "": none.
        make_engines: makes the engines that run models.
        make_services: makes the services.

    Raises:
        ArtifactError: an artifact is not what export wrote.
        ConfigError: a setting cannot be met.
        RuntimeUnavailableError, TokenizerError: a model cannot be loaded.
    """
    hold_signals()
    log_to_stderr(config.log_level, config.log_format)
    if warning:
        log.warning("%s", warning)
    if config.users_lock:
        end_without_users(Path(config.users_lock))
    faulthandler.enable()  # SIGBUS, after weights were cut short, would end the process without a line in the log
    make_app = partial(
        App, lambda: open_artifacts(directories), config, make_engines=make_engines, make_services=make_services
    )
    asyncio.run(_serve(make_app))


async def _serve(make_app: Callable[..., App]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    log_exceptions_of(loop)
    reloads = set[asyncio.Task[None]]()

    def reload() -> None:
        task = loop.create_task(_reload(app))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    app = make_app(before_open=lambda: obey_signals(loop, lambda: _on_signal(stop), reload))
    async with app:
        app.announce()
        app.announce_memory()
        lost = asyncio.create_task(app.watchdog.wait_until_lost())
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
    except Exception:  # no error of a reload may end the server
        log.exception(_NOT_RELOADED)


def _on_signal(stop: asyncio.Event) -> None:
    if stop.is_set():
        log.warning("second signal: stopping at once")
        os._exit(130)
    stop.set()
