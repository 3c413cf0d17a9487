"""ServerLive and ServerReady: of a server that loads or drains too, and without a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.service import Method


class Probes:
    """Answers whether the server lives, and whether calls are to be sent to it."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    @property
    def methods(self) -> Mapping[str, Method]:
        """By the name that the contract gives them."""
        return {"ServerLive": self.server_live, "ServerReady": self.server_ready}

    async def server_live(self, _request: pb.ServerLiveRequest, _call: Call) -> pb.ServerLiveResponse:
        """Answer ServerLive: a server that answers lives."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, _request: pb.ServerReadyRequest, _call: Call) -> pb.ServerReadyResponse:
        """Answer ServerReady, as health does for the service."""
        return pb.ServerReadyResponse(ready=self._is_ready())
