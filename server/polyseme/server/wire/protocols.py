"""The contracts that a server speaks: polyseme.v1 always, others where its settings name them.

Those are imported when they are named: most servers speak none.
"""

from __future__ import annotations

from collections.abc import Callable

from polyseme.server.config import ServerConfig
from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Registry
from polyseme.server.wire import v1
from polyseme.server.wire.calls.service import Service


def services(registry: Registry, limits: Limits, config: ServerConfig) -> list[Service]:
    """Give the services of all contracts over the models of a registry."""
    named = config.protocols.split(",")
    found = v1.services(registry, limits)
    if "tei" in named:
        from polyseme.server.wire import tei

        found += tei.services(registry, limits, config)
    if "kserve" in named:
        from polyseme.server.wire import kserve

        found += kserve.services(registry, limits)
    return found


def probes(config: ServerConfig, is_ready: Callable[[], bool]) -> list[Service]:
    """Give the methods of these contracts that everybody may call at any time.

    Args:
        config: the settings.
        is_ready: tells whether calls are to be sent here.
    """
    if "kserve" not in config.protocols.split(","):
        return []
    from polyseme.server.wire import kserve

    return kserve.probes(is_ready)
