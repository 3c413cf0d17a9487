"""The contracts that a server speaks: polyseme.v1 always, others where its settings name them."""

from __future__ import annotations

from polyseme.server.config import ServerConfig
from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Registry
from polyseme.server.wire import tei, v1
from polyseme.server.wire.calls.service import Service


def services(registry: Registry, limits: Limits, config: ServerConfig) -> list[Service]:
    """Give the services of all contracts over the models of a registry."""
    named = config.protocols.split(",")
    return [
        *v1.services(registry, limits),
        *(tei.services(registry, limits, config) if "tei" in named else ()),
    ]
