"""What a call says of its caller."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def request_id_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Give the name that the caller, or a proxy on the way, has for the call; "": none, or one that is no id."""
    for key, value in metadata or ():
        if key == REQUEST_ID and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return ""
