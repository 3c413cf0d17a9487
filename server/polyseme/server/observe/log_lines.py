"""The log of a process that serves: a line for each record, no exception's message that may hold a part of a text."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from polyseme.server.observe.exceptions import redacted

log = logging.getLogger(__name__)

FIELDS: Final = "fields"
"""The attribute of a record whose entries become fields of its JSON object: `extra={FIELDS: {...}}`."""


class RedactingFormatter(logging.Formatter):
    """Formats records, whoever logs them: no exception's message that may hold a part of a text."""

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802  logging's own is not typed better
        """Format a traceback, with its causes."""
        error = redacted(ei[1])
        return super().formatException((type(error), error, error.__traceback__))


class LineFormatter(RedactingFormatter):
    """Formats a record as a line, and its exception below: control characters spelled out."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Format all but the exception, on one line."""
        line = super().formatMessage(record)
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


class JsonFormatter(RedactingFormatter):
    """Formats a record as a JSON object on one line: time, level, logger, message, its fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record; an exception is a string with line ends in it."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(level: str, format_: str = "text") -> None:
    """Log to stderr, and log there too what Python would print of exceptions that nobody caught."""
    handler = logging.StreamHandler()
    text = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(JsonFormatter() if format_ == "json" else LineFormatter(text))
    handler.addFilter(_is_no_lost_connection)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    sys.excepthook = _of_the_process
    sys.unraisablehook = _of_an_object
    threading.excepthook = _of_a_thread


def _is_no_lost_connection(record: logging.LogRecord) -> bool:
    """Tell whether a record is something else than gRPC's traceback of a reply or a status that could not be sent.

    After a pause of the process there is one for each call whose connection broke meanwhile.
    """
    return record.exc_info is None or type(record.exc_info[1]).__name__ != "ExecuteBatchError"


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
