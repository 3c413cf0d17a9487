"""The log of a process that serves: a line for each record, no exception's message that may hold a part of a text."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Any

from polyseme.server.observe.exceptions import redacted

log = logging.getLogger(__name__)


class LineFormatter(logging.Formatter):
    """Formats records, whoever logs them: control characters spelled out, exceptions redacted."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Format all but the exception, on one line."""
        line = super().formatMessage(record)
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802  logging's own is not typed better
        """Format a traceback, with its causes."""
        error = redacted(ei[1])
        return super().formatException((type(error), error, error.__traceback__))


def log_to_stderr(level: str) -> None:
    """Log to stderr, and log there too what Python would print of exceptions that nobody caught."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    sys.excepthook = _of_the_process
    sys.unraisablehook = _of_an_object
    threading.excepthook = _of_a_thread


def log_exceptions_of(loop: asyncio.AbstractEventLoop) -> None:
    """Log exceptions of callbacks and tasks that nobody waits for; asyncio's lines would show their arguments."""
    loop.set_exception_handler(_of_a_loop)


def _of_a_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    said = str(context.get("message", "")).partition("(")[0]
    log.error("event loop: %s", said, exc_info=context.get("exception"))


def _of_the_process(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    log.critical("the process ends", exc_info=error)


def _of_a_thread(args: threading.ExceptHookArgs) -> None:
    log.critical("thread %s ended", args.thread.name if args.thread else "?", exc_info=args.exc_value)


def _of_an_object(args: sys.UnraisableHookArgs) -> None:
    log.error("an exception that nobody can catch", exc_info=args.exc_value)
