"""The contracts that a server speaks: polyseme.v1 always, others where its settings name them."""

from __future__ import annotations

from collections.abc import Callable

from polyseme.server.config import ServerConfig
from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Registry
from polyseme.server.wire import kserve, tei, v1
from polyseme.server.wire.calls.service import Service


def services(registry: Registry, limits: Limits, config: ServerConfig) -> list[Service]:
    """Give the services of all contracts over the models of a registry."""
    named = config.protocols.split(",")
    return [
        *v1.services(registry, limits),
        *(tei.services(registry, limits, config) if "tei" in named else ()),
        *(kserve.services(registry, limits) if "kserve" in named else ()),
    ]


def probes(config: ServerConfig, is_ready: Callable[[], bool]) -> list[Service]:
    """Give the methods of these contracts that everybody may call at any time.

    Args:
        config: the settings.
        is_ready: tells whether calls are to be sent here.
    """
    return kserve.probes(is_ready) if "kserve" in config.protocols.split(",") else []
