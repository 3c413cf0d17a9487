"""Find variables of the environment that are meant for Polyseme, and that nothing reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_PREFIX: Final = "POLYSEME_"
# Those that flags of the client commands, and `main.py`, read.
_OF_COMMANDS: Final = (
    "CACHE", "CLIENT_CERT", "CLIENT_KEY", "CONFIG", "DEBUG", "TARGET", "TLS", "TLS_CA", "TLS_NAME", "TOKEN",
)  # fmt: skip
# What Kubernetes sets for a Service named polyseme, and what tests and benches of the project read.
_OF_OTHERS: Final = ("SERVICE_", "PORT_", "TEST_", "EVAL_DATA", "GTE_SMALL", "MPNET")
_ALIKE: Final = 0.75


def unread_variables(names: Iterable[str], *, alike_only: bool) -> str:
    """Name the variables that nothing reads, and what may be meant, in one line; "" where there are none.

    Args:
        names: of all variables.
        alike_only: whether to leave out those that are like no variable that is read.
    """
    ours = [variable for variable in sorted(names) if variable.upper().startswith(_PREFIX)]
    if all(variable.removeprefix(_PREFIX) in _OF_COMMANDS for variable in ours):
        return ""
    import difflib
    from dataclasses import fields

    from polyseme.server.config import ServerConfig

    known = [*_OF_COMMANDS, *(setting.name.upper() for setting in fields(ServerConfig))]
    said = []
    for variable in ours:
        name = variable.removeprefix(_PREFIX)
        if name in known or name.startswith(_OF_OTHERS):
            continue
        close = difflib.get_close_matches(name.upper().removeprefix(_PREFIX), known, 1, _ALIKE)
        if close:
            said.append(f"{variable} is not read; {_PREFIX}{close[0]} is")
        elif not alike_only:
            said.append(f"{variable} is not read")
    return "; ".join(said)
