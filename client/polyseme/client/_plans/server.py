"""Ask a server for its models and its health, as plans. No I/O."""

from __future__ import annotations

from polyseme.client._convert.health import CHECK, HealthStatus, health_request, health_status
from polyseme.client._plans.defaults import Defaults
from polyseme.client._transport.rpc import Plan, ask_bytes
from polyseme.client.models import Model


def plan_models(defaults: Defaults, *, timeout: float | None) -> Plan[list[Model]]:
    """Plan `Client.models`."""
    return (yield from defaults.catalog.list(defaults.timeout({"timeout": timeout})))


def plan_model(defaults: Defaults, name: str | None, *, timeout: float | None) -> Plan[Model]:
    """Plan `Client.model`."""
    timeout_s = defaults.timeout({"timeout": timeout})
    return (yield from defaults.catalog.get(defaults.model_name({"model": name}), timeout_s))


def plan_health(defaults: Defaults, service: str, *, timeout: float | None) -> Plan[HealthStatus]:
    """Plan `Client.health`."""
    return health_status((yield from ask_bytes(CHECK, health_request(service), defaults.timeout({"timeout": timeout}))))
