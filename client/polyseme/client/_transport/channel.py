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
    # No retryThrottling: the largest budget (gRPC's proposal A6: 1,000 tokens, half of which may be spent) is less than
    # the calls that one lost server can leave behind. Nor would it spare a full server, which is not UNAVAILABLE.
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
    # ... and a server that comes back is found within 0.6 s, which the retries outlast, instead of gRPC's 2 min.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 500,
    # A server that has fallen silent is pinged after 12 s without a byte of it, and given up 8 s later: of the default
    # timeout, 10 s are left to another server. Every Polyseme server allows a ping every 10 s. One with gRPC's defaults
    # allows one in 5 min, and hangs up on more (too_many_pings): core then pings half as often, up to five times.
    "grpc.keepalive_time_ms": 12_000,
    "grpc.keepalive_timeout_ms": 8_000,
    # Keepalive's ping waits behind those that probe the bandwidth after a reply, whose own timeout is 60 s.
    "grpc.http2.ping_timeout_ms": 8_000,
    # Core would stop after two pings, or send one a minute, while the caller sends nothing.
    "grpc.http2.max_pings_without_data": 0,
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
