"""The settings of a gateway."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The settings of a gateway.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0: any free one.
        allowed_hosts: names that callers may use, besides addresses, localhost and `host`: NAME, *.NAME, *.
        timeout_s: seconds from the head of a request to its answer; the server is told what is left of them.
        max_body_bytes: bytes of one request's body.
        max_inputs: texts of one request; OpenAI takes 2,048.
        max_requests: requests at once; those beyond end with 429.
        max_connections: connections at once; those beyond are closed.
        grace_s: seconds at SIGTERM that requests under way have to end.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    timeout_s: float = 30.0
    max_body_bytes: int = 16 << 20
    max_inputs: int = 2048
    max_requests: int = 256
    max_connections: int = 512
    grace_s: float = 30.0
