"""Calls in a closed loop, from the Go program in sender-go/: gRPC or HTTP. It takes little CPU, and tells how much."""

from __future__ import annotations

import json
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROGRAM: Final = Path(__file__).parents[2] / ".cache" / "bin" / "sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Calls that were sent.

    Attributes:
        rate: calls answered a second, while it was measured.
        latencies_s: of these calls, ascending.
        answered: calls answered at all, those of the warm-up too.
        failed: calls that ended otherwise.
        error: of the first that did.
        cpu_s: seconds of CPU that sending all of them took.
    """

    rate: float
    latencies_s: list[float]
    answered: int
    failed: int
    error: str
    cpu_s: float

    def percentile_ms(self, share: float) -> float:
        """By rank; not a number where no call was answered."""
        calls = self.latencies_s
        return calls[min(len(calls) - 1, int(len(calls) * share))] * 1e3 if calls else float("nan")


def send(
    target: str,
    path: str,
    requests: Sequence[bytes],
    *,
    in_flight: int,
    seconds: float,
    warm_up: float = 1.0,
    connections: int = 1,
    protocol: str = "grpc",
) -> Sent:
    """Send requests in turn, so many at once.

    Args:
        target: HOST:PORT.
        path: of the method, or of the URL.
        requests: messages of gRPC, or bodies of HTTP; taken again from the first when they have all been sent.
        in_flight: callers, each sending its next request when its last is answered.
        seconds: measured.
        warm_up: seconds before that.
        connections: of gRPC; over HTTP each caller has its own.
        protocol: grpc or http.

    Raises:
        SystemExit: it cannot be run.
    """
    flags = {
        "protocol": protocol,
        "target": target,
        "path": path,
        "in-flight": in_flight,
        "connections": connections,
        "warm-up": f"{warm_up}s",
        "duration": f"{seconds}s",
    }
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(struct.pack("<I", len(request)) + request for request in requests))
        file.flush()
        command = [str(PROGRAM), *(f"-{name}={value}" for name, value in flags.items()), f"-requests={file.name}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    seen = json.loads(ended.stdout)
    return Sent(
        rate=seen["calls"] / seen["seconds"],
        latencies_s=seen["latencies"] or [],
        answered=seen["all_calls"],
        failed=seen["failed"],
        error=seen["error"],
        cpu_s=seen["cpu_seconds"],
    )
