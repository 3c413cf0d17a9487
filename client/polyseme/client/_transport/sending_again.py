"""Failed calls that the SDK sends again: what gRPC's own retries leave over. Pure."""

from __future__ import annotations

from typing import Final

from polyseme.client._transport.rpc import Calls
from polyseme.client.errors import PolysemeError, ResourceExhaustedError, UnavailableError

# The words of gRPC's core, old and new. Should it find others, what cannot be reached is an error after twice the time.
_REACHED_NOBODY: Final = ("connections to all backends failing", "failed to connect to all addresses")


class Again:
    """Decides for one call, over all times that it is sent.

    A lost connection: gRPC's retries end where a reply has begun to come, as when a server is killed while it sends a
    large one. Such a call is sent again, once. A full server: where an operation has several calls, one that is refused
    is sent again when the server says that it has room. All within the timeout.
    """

    def __init__(self, calls: Calls, began: float) -> None:
        """Take the calls that it is one of, and when it was first sent, in seconds of a monotonic clock."""
        self._calls = calls
        self._began = began
        self._lost = False

    def left(self, now: float) -> float | None:
        """Give the seconds of its timeout that are left; None: without end."""
        return None if self._calls.timeout is None else self._calls.timeout - (now - self._began)

    def delay(self, error: PolysemeError, now: float) -> float | None:
        """Give the seconds to wait before it is sent again; None: it has failed for good."""
        wait, left = self._wait(error), self.left(now)
        return wait if wait is not None and (left is None or wait < left) else None

    def _wait(self, error: PolysemeError) -> float | None:
        if isinstance(error, UnavailableError):
            lost_before, self._lost = self._lost, True
            return None if lost_before or any(words in str(error) for words in _REACHED_NOBODY) else 0.0
        if isinstance(error, ResourceExhaustedError) and self._calls.count > 1:
            return error.retry_after or None
        return None
