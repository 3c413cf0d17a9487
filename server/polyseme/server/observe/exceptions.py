"""Exceptions as they may be logged: whose message may hold a part of a text tells its type and where it was raised."""

from __future__ import annotations

from typing import Final

from polyseme.artifact import ArtifactError
from polyseme.runtime.errors import DeviceLostError, RuntimeUnavailableError, SelfCheckError, TokenizerError
from polyseme.server.errors import ConfigError, ServerError

# Their messages are ours, and hold no part of a text; those of OSError name files.
_TOLD: Final = (
    ServerError, ConfigError, ArtifactError, RuntimeUnavailableError, SelfCheckError, TokenizerError, DeviceLostError,
    OSError,
)  # fmt: skip
_WITHHELD: Final = "message withheld, as it may hold a part of a text"
_LONGEST_CHAIN: Final = 16


class _Redacted(Exception):  # noqa: N818  takes the name of another
    """Base of the exceptions that stand for others."""


def redacted(error: BaseException) -> BaseException:
    """Give an exception to log in place of another: its traceback, its type's name, its causes likewise.

    The message is kept where it is one of ours, or of onnxruntime, which speaks of nodes, shapes and memory alone.
    """
    return _redacted(error, _LONGEST_CHAIN)


def _redacted(error: BaseException, links: int) -> BaseException:
    if isinstance(error, _Redacted):
        return error
    kind = type(error)
    is_told = isinstance(error, _TOLD) or kind.__module__.partition(".")[0] == "onnxruntime"
    shown = type(kind.__name__, (_Redacted,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})
    copy: BaseException = shown(str(error) if is_told else _WITHHELD).with_traceback(error.__traceback__)
    if links > 0:
        cause = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        copy.__cause__ = None if cause is None else _redacted(cause, links - 1)
        if error.__context__ is not None and error.__context__ is not cause and not error.__suppress_context__:
            copy.__context__ = _redacted(error.__context__, links - 1)
        copy.__suppress_context__ = cause is not None or error.__suppress_context__
    return copy
