"""Keep calls out of gRPC while the process forks, and tell a child whether it can use gRPC.

gRPC's core prepares a fork, and cleans up after it in the child, only while no thread is inside of it. Else it leaves
the child with the locks and without the threads of its parent: calls there hang past their timeout, or abort the
process. So a fork waits for the calls under way, and new ones wait for the fork. What may last, such as a stream, is
not waited for: the child is then told not to use gRPC.

Source: grpc_prefork of src/core/lib/surface/fork_posix.cc ("skipping fork() handlers").
"""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Any, Final

from polyseme.client.errors import ForkedProcessError

_WAIT_S: Final = 5.0  # for calls under way; as long as gRPC's own handlers wait for its threads

_BROKEN: Final = (
    "this process was forked while its parent was inside gRPC, which cannot be used here; start it by 'spawn' or "
    "'forkserver', or fork when no stream and no AsyncClient is open"
)


class Forks:
    """The forks and the calls of this process.

    Attributes:
        generation: number of forks between the first process and this one; what was opened in another generation
            belongs to another process.
        broken: whether the parent was inside gRPC when it forked this process.
        opening: held by whoever opens a channel.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.broken = False
        self.opening = threading.RLock()  # garbage that is collected under it may close a client
        self._changed = threading.Condition()
        self._calls = 0
        self._forks = 0
        self._lasting: weakref.WeakSet[Any] = weakref.WeakSet()

    def check(self) -> None:
        """Refuse to use gRPC where it would hang or crash.

        Raises:
            ForkedProcessError: the parent was inside gRPC when it forked this process.
        """
        if self.broken:
            raise ForkedProcessError(_BROKEN)

    def enter(self) -> None:
        """Begin a call, after the fork that is under way if there is one."""
        with self._changed:
            while self._forks:
                self._changed.wait()
            self._calls += 1

    def leave(self) -> None:
        """End a call."""
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def __enter__(self) -> None:
        self.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def begin_lasting(self, user: object) -> None:
        """Take note of a stream or an asyncio channel: for it no fork waits, until it ends or is garbage."""
        with self._changed:
            self._lasting.add(user)

    def end_lasting(self, user: object) -> None:
        """Take note of its end."""
        with self._changed:
            self._lasting.discard(user)

    def before(self) -> None:
        """Hold new calls back and wait for those under way, before the fork."""
        self._changed.acquire()
        self._forks += 1
        self._changed.wait_for(lambda: not self._calls or self._lasting, _WAIT_S)

    def after_in_parent(self) -> None:
        """Let calls go on."""
        self._forks -= 1
        self._changed.notify_all()
        self._changed.release()

    def after_in_child(self) -> None:
        """Begin anew: of the threads of the parent only the one that forked is here."""
        self.broken = self.broken or self._calls > 0 or len(self._lasting) > 0
        self.generation += 1
        self.opening, self._changed = threading.RLock(), threading.Condition()
        self._calls = self._forks = 0


FORKS: Final = Forks()
os.register_at_fork(before=FORKS.before, after_in_parent=FORKS.after_in_parent, after_in_child=FORKS.after_in_child)
