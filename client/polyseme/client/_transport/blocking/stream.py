"""One stream of a grpc channel, for threads, on which only receiving waits."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeAlias, cast

import grpc

from polyseme.client._transport.forks import FORKS
from polyseme.client.errors import UnavailableError

_Replies: TypeAlias = SimpleQueue[bytes | grpc.RpcError | None]
_Requests: TypeAlias = SimpleQueue[bytes | None]


class SyncStream:
    """A call whose requests are queued and whose replies a thread collects, so that waiting for a reply can time out.

    Both queues are as short as the window of unanswered requests that the caller keeps. SimpleQueue, since its put may
    run in a finalizer.
    """

    def __init__(
        self,
        stub: grpc.StreamStreamMultiCallable[bytes, bytes],
        metadata: tuple[tuple[str, str | bytes], ...],
        target: str,
    ) -> None:
        self._target = target
        self._requests: _Requests = SimpleQueue()
        self._replies: _Replies = SimpleQueue()
        self._ended = False
        FORKS.enter()
        try:
            self._call = cast("Any", stub(iter(self._requests.get, None), metadata=metadata))
        except BaseException:
            FORKS.leave()
            raise
        self._call.add_done_callback(lambda _: FORKS.leave())
        FORKS.begin_lasting(self)
        Thread(
            target=_pump, args=(self._call, self._requests, self._replies), name="polyseme-stream", daemon=True
        ).start()

    def send(self, request: bytes | None) -> None:
        """Queue a request; None: no more follow."""
        self._requests.put(request)

    def receive(self, timeout: float | None) -> bytes | None:
        """Wait for a reply, at most this many seconds; None: none came in time.

        Raises:
            grpc.RpcError: the stream ended with this status.
            UnavailableError: it ended without one.
            ForkedProcessError: it is a stream of the process that forked this one.
        """
        FORKS.check()
        try:
            reply = self._replies.get(block=timeout != 0, timeout=timeout)
        except Empty:
            return None
        if isinstance(reply, bytes):
            return reply
        self._ended = True
        if reply is None:
            raise UnavailableError(f"{self._target}: the server ended the stream", target=self._target)
        raise reply

    def end(self, grace_s: float) -> None:
        """Wait at most this many seconds for the server to end the stream, then cancel it; both of its threads end."""
        if FORKS.broken:
            return
        FORKS.end_lasting(self)
        self._requests.put(None)
        deadline = time.monotonic() + grace_s
        try:
            while grace_s and not self._ended and (left := deadline - time.monotonic()) > 0:
                self.receive(left)
        except (grpc.RpcError, UnavailableError):
            pass
        finally:
            self._call.cancel()


def _pump(call: Any, requests: _Requests, replies: _Replies) -> None:  # noqa: ANN401  grpc's call has no public type
    try:
        for reply in call:
            replies.put(reply)
    except grpc.RpcError as failure:
        replies.put(failure)
    else:
        replies.put(None)
    finally:
        requests.put(None)  # grpc's thread may wait for a request
