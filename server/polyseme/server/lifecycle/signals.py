"""Signals of a process that serves, from its first moment on. Imports nothing heavy: it is imported before all else.

SIGHUP ends a process that has no handler for it, and the first process of a container does not even see SIGTERM then.
So SIGHUP is held back by the kernel until it can be obeyed; SIGTERM and SIGINT end at once what does not serve yet.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop  # asyncio takes longer to import than all the rest


def hold_signals() -> None:
    """Hold SIGHUP back, and end at once on SIGTERM and SIGINT.

    Call it on the main thread, as early as possible; a second call does nothing new.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # whoever started this may block them


@contextmanager
def unwinding_signals() -> Iterator[None]:
    """Inside, let SIGINT and SIGTERM raise SystemExit, so that what is half done is removed; afterwards as before."""
    before = {number: signal.signal(number, _unwind) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def obey_signals(loop: AbstractEventLoop, stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Have the event loop call these functions from now on; a SIGHUP that was held back is obeyed now.

    Args:
        loop: runs on the main thread.
        stop: called at SIGTERM and SIGINT.
        reload: called at SIGHUP.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def _end(number: int, _: object) -> None:
    os._exit(_status(number))  # nothing is under way, and imports cannot be unwound


def _unwind(number: int, _: object) -> None:
    raise SystemExit(_status(number))


def _status(number: int) -> int:
    """Say which signal it was; give the exit status."""
    os.write(2, f"polyseme: {signal.Signals(number).name}: ended before it served\n".encode())
    return 0 if number == signal.SIGTERM else 130
