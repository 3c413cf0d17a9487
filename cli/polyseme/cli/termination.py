"""The end of a command by SIGTERM: what it has begun is removed, as where it fails."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def removing_at_sigterm() -> Iterator[None]:
    """Let SIGTERM leave what stands within as an exception does, with the exit code that a shell gives it: 143."""
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
