"""The access log: a line for each call that ends, never a text."""

from __future__ import annotations

import logging
from typing import Final

from polyseme.server.observe.calls import CallReport
from polyseme.server.observe.log_lines import FIELDS

log = logging.getLogger(__name__)

_PROBES: Final = (
    "grpc.health.",
    "inference.GRPCInferenceService/ServerLive",
    "inference.GRPCInferenceService/ServerReady",
)


class AccessLog:
    """Logs calls, at any --log-level."""

    wants_peers = True

    def __init__(self) -> None:
        log.setLevel(logging.INFO)

    def call_done(self, report: CallReport) -> None:
        """Log a call, but for probes that succeed, and for the watch that each client of the SDK has and gives up."""
        if report.method.startswith(_PROBES) and report.code in ("OK", "CANCELLED"):
            return
        fields = {
            "method": report.method,
            "status": report.code,
            "ms": round(report.seconds * 1e3, 2),
            "texts": report.texts,
            "tokens": report.tokens,
            "model": report.model,
            "caller": report.peer,
            "request_id": report.request_id,
        }
        line = " ".join(f"{name}={value}" for name, value in fields.items() if value != "")
        log.info("%s", line, extra={FIELDS: fields})
