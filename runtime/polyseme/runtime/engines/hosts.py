"""Threads that one part has and another may use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

Host: TypeAlias = Callable[[Callable[[], None]], Future[None]]
"""Begins a function on a thread, which it has for as long as it runs."""
