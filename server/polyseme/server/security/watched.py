"""Files that are read again when they change."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

from polyseme.server.errors import ConfigError

T = TypeVar("T")
log = logging.getLogger(__name__)

_LOOK_AGAIN_S: Final = 1.0


class WatchedFiles(Generic[T]):
    """A value read from files. It is read again when a file changes; where that fails, the value stays as it was."""

    def __init__(
        self, paths: Iterable[Path], read: Callable[[], T], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the value.

        Args:
            paths: the files.
            read: reads the value; raises ConfigError where it cannot.
            clock: seconds, monotonic; files are looked at once a second.
        """
        self._clock = clock
        self._paths = tuple(paths)
        self._read = read
        self._seen = self._state()
        self._value = read()
        self._looked = self._clock()

    @property
    def value(self) -> T:
        """The value, as it could last be read."""
        now = self._clock()
        if now >= self._looked + _LOOK_AGAIN_S:
            self._looked = now
            self._look()
        return self._value

    def _look(self) -> None:
        seen = self._state()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._value = self._read()
        except ConfigError as error:
            log.warning("still using what was there before: %s", error)
        else:
            log.info("read again: %s", ", ".join(map(str, self._paths)))

    def _state(self) -> list[tuple[int, int, int]]:
        """Read time, size and inode of each file: they change when it is written, or when another takes its name."""
        states = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError:
                states.append((0, 0, 0))
            else:
                states.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return states


def read_file(flag: str, path: str) -> bytes:
    """Read the file that a flag names.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{flag}: cannot read {path}: {error.strerror}") from error
