"""The errors between an artifact and its vectors.

RuntimeUnavailableError     onnxruntime cannot serve this artifact on this device
TokenizerError              tokenizer.json cannot be used
SelfCheckError              an artifact's graphs do not compute what they should
DeviceLostError             a device fails for good: the process has to be started again
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 300
# Where in onnxruntime's source it was raised, and in which of its functions.
_LOCATION: Final = re.compile(r"/\S+\.(?:cc|cu|h|cuh|cpp):\d+ .*?(?=\[ONNXRuntimeError\]|CU[A-Z]+ (?:failure|error))")


class RuntimeUnavailableError(Exception):
    """No session can be made as asked for; the message is one line: what, got, what to do."""


class TokenizerError(Exception):
    """A tokenizer cannot be loaded or does not fit its model; one line."""


class SelfCheckError(Exception):
    """Graphs of one artifact disagree, or give numbers that are not finite; one line."""


class DeviceLostError(Exception):
    """The device will run nothing any more in this process."""


def first_line(error: BaseException) -> str:
    """Give the message of an exception of onnxruntime on one line, cut in the middle: the cause stands at its end."""
    line = _LOCATION.sub("", (str(error).strip().splitlines() or [""])[0]) or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 3]} ... {line[-_LONGEST * 2 // 3 :]}"
