"""Calls that have ended, as they are counted and logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class CallReport(NamedTuple):
    """A call that has ended; holds no part of a text.

    Attributes:
        method: name of the method; with its service where that is not of the contract.
        code: name of the status code.
        seconds: from the arrival of the call to its status.
        model: name of the model that answered; "": none did.
        texts: number of texts that were tokenized.
        tokens: number of their tokens.
        peer: address that the call came from, as gRPC spells it; "": no observer wants it.
        request_id: the id of the call.
    """

    method: str
    code: str
    seconds: float
    model: str = ""
    texts: int = 0
    tokens: int = 0
    peer: str = ""
    request_id: str = ""


class CallObserver(Protocol):
    """Is told of calls."""

    @property
    def wants_peers(self) -> bool:
        """True where reports should hold the address of the caller; gRPC takes time to spell it."""

    def call_done(self, report: CallReport) -> None:
        """Take the report of a call that has ended."""


class Observers:
    """Tells each of several observers.

    Args of the constructor: the observers.
    """

    def __init__(self, observers: Sequence[CallObserver]) -> None:
        self._observers = observers
        self.wants_peers = any(observer.wants_peers for observer in observers)

    def call_done(self, report: CallReport) -> None:
        """Tell them of a call."""
        for observer in self._observers:
            observer.call_done(report)
