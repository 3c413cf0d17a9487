"""The id of a call, by which its caller, its trace and the log name it: sent by the caller, or made here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

HEADER: Final = "x-request-id"

_ACCEPTED: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}"
)  # no character that breaks a log line or a header


def request_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Give the id that a caller has sent; a new one where it sent none, or one too long or with odd characters."""
    for key, value in metadata:
        if key == HEADER and isinstance(value, str) and _ACCEPTED.fullmatch(value):
            return value
    return os.urandom(8).hex()
