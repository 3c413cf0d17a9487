"""Options of the SDK's gRPC channels: retries, balancing, sizes, keepalive. Pure data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""The largest request or reply that the SDK sends or accepts."""

_SERVICE_CONFIG: Final = {
    # Use all addresses of the target's name, each only while its health service says SERVING. A rolling restart
    # without a failed call needs this and the retries below.
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "polyseme.v1.EmbeddingService"},
    "methodConfig": [
        {
            "name": [{}],
            # Every call is idempotent. RESOURCE_EXHAUSTED is not retried: it also means "message too large", and more
            # calls do not help a full server. The waits add up to 1.2 s (gRPC varies each by a fifth): with 1 s to
            # connect, a target where nobody listens is an error within 3 s.
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        # A stream is opened again by its plan (_plans/streams/resumable.py), which knows what was answered.
        {"name": [{"service": "polyseme.v1.EmbeddingService", "method": "StreamEmbed"}]},
    ],
    # No retries while more than half of a budget of 100 is spent: a failure costs 1, a success earns 0.1.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}

_DEFAULTS: Final[dict[str, str | int]] = {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    # gRPC's default is 256 KiB, and a larger request is then silently not retried.
    "grpc.per_rpc_retry_buffer_size": MAX_MESSAGE_BYTES + 1024 * 1024,
    # The service config is the SDK's; no TXT record is looked up for it.
    "grpc.service_config_disable_resolution": 1,
    # An attempt to connect lasts this long (the option's name is misleading; its default is 20 s) ...
    "grpc.min_reconnect_backoff_ms": 1_000,
    # ... and a server that comes back is found within 5 s instead of gRPC's 2 min.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 5_000,
    # A server with gRPC's defaults allows a ping every 5 min while calls run, and hangs up on more (too_many_pings).
    # TCP_USER_TIMEOUT, set through keepalive_timeout, ends a connection whose data is unacknowledged for 20 s.
    "grpc.keepalive_time_ms": 310_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 0,
}


def channel_options(extra: Sequence[tuple[str, Any]] = ()) -> list[tuple[str, Any]]:
    """Give the options of the channel for calls; `extra` overrides the defaults."""
    options: dict[str, Any] = {**_DEFAULTS, "grpc.service_config": json.dumps(_SERVICE_CONFIG), **dict(extra)}
    return list(options.items())


def health_channel_options(extra: Sequence[tuple[str, Any]] = ()) -> list[tuple[str, Any]]:
    """Give the options of the channel for health checks.

    It neither retries nor heeds health, both of which would hide the answer.
    """
    options: dict[str, Any] = {**_DEFAULTS, **dict(extra)}
    options.pop("grpc.service_config", None)
    return list({**options, "grpc.enable_retries": 0}.items())
