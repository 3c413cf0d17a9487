"""Ask a server for its models and its health, as plans. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from polyseme.client._arguments.flags import name_or_empty
from polyseme.client._convert.health import CHECK, HealthStatus, health_request, health_status
from polyseme.client._convert.requests import checked_timeout
from polyseme.client._plans.defaults import Defaults
from polyseme.client._transport.rpc import Pause, Plan, ask_bytes
from polyseme.client.errors import DeadlineExceededError, UnavailableError
from polyseme.client.models import Model

READY_TIMEOUT_S: Final = 60.0
"""Seconds that a server gets to start where the caller does not say."""
START_TIMEOUT_S: Final = 600.0
"""Seconds that a local server gets to start, an export included, where the caller does not say."""
READINESS: Final = "polyseme.v1.EmbeddingService"
"""The service whose health says whether a server takes calls."""
_ASK_EVERY_S: Final = 0.2
_ASK_TIMEOUT_S: Final = 5.0


def plan_models(defaults: Defaults, *, timeout: float | None) -> Plan[list[Model]]:
    """Plan `Client.models`."""
    return (yield from defaults.catalog.list(defaults.timeout({"timeout": timeout})))


def plan_model(defaults: Defaults, name: str | None, *, timeout: float | None) -> Plan[Model]:
    """Plan `Client.model`."""
    timeout_s = defaults.timeout({"timeout": timeout})
    return (yield from defaults.catalog.get(defaults.model_name({"model": name}), timeout_s))


def plan_health(defaults: Defaults, service: str, *, timeout: float | None) -> Plan[HealthStatus]:
    """Plan `Client.health`."""
    return health_status(
        (
            yield from ask_bytes(
                CHECK, health_request(name_or_empty(service, "service")), defaults.timeout({"timeout": timeout})
            )
        )
    )


def plan_wait_until_ready(defaults: Defaults, timeout: float, clock: Callable[[], float]) -> Plan[None]:
    """Plan `Client.wait_until_ready`; the clock gives seconds that never go back."""
    limit, began = checked_timeout(timeout, timeout), clock()
    while True:
        left = _ASK_TIMEOUT_S if limit is None else limit - (clock() - began)
        try:
            asked = ask_bytes(CHECK, health_request(READINESS), min(max(left, 0.001), _ASK_TIMEOUT_S))
            status = health_status((yield from asked))
            if status is HealthStatus.SERVING:
                return
            reason = f"{defaults.target}: {status.name}"
        except (UnavailableError, DeadlineExceededError) as error:
            reason = str(error)
        if left <= _ASK_EVERY_S:
            raise DeadlineExceededError(f"not ready within {limit:g} s (timeout): {reason}", target=defaults.target)
        yield Pause(_ASK_EVERY_S)
