"""Whose turn it is: within a priority, callers share by tokens. Pure.

Tokens served are kept as virtual time. Who has been served least is next. A caller that comes back from idleness starts
at the floor, the least of those that wait, so it is owed nothing for the time it was away; a debt from before stays.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Final

from polyseme.server.scheduling.entry import Entry

MOST_CALLERS: Final = 1024  # most callers that are told apart; all others share as one
SHORT_CALL: Final = 64  # most tokens of a call that may overtake: an eighth of the longest text that models take, 512
_LOOKED_AT: Final = 32  # short calls of a caller: a bound of how long the lock is held
_REST: Final = ""

_served = attrgetter("served")


@dataclass(slots=True, eq=False)
class Caller:
    """One caller of one priority.

    Attributes:
        name: who it is.
        served: tokens that were run for it, as virtual time; moved forward to the floor after idling.
        texts: those that wait, in order of arrival.
        short: those of them that are of short calls, in order of arrival.
        tokens: how many tokens wait.
    """

    name: str
    served: int = 0
    texts: OrderedDict[Entry, None] = field(default_factory=OrderedDict)
    short: OrderedDict[Entry, None] = field(default_factory=OrderedDict)
    tokens: int = 0


class Callers:
    """The callers of one priority.

    Attributes:
        waiting: those with texts that wait, by name; the longest at it first.
        tokens: how many tokens wait.
        short_texts: how many texts of short calls wait.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, Caller] = {}
        self.tokens = 0
        self.short_texts = 0
        self._idle: OrderedDict[str, Caller] = OrderedDict()  # those that may have a debt; the latest to leave last
        self._floor = 0  # never falls

    def add(self, entry: Entry) -> None:
        """Put a text behind those of its caller."""
        caller = entry.place = self.waiting.get(entry.caller) or self._arrived(entry.caller)
        caller.texts[entry] = None
        if 0 < entry.call_tokens <= SHORT_CALL:
            caller.short[entry] = None
            self.short_texts += 1
        caller.tokens += entry.tokens
        self.tokens += entry.tokens

    def remove(self, entry: Entry) -> None:
        """Take a text out that waits."""
        caller = entry.place
        del caller.texts[entry]
        if entry in caller.short:
            del caller.short[entry]
            self.short_texts -= 1
        caller.tokens -= entry.tokens
        self.tokens -= entry.tokens
        if not caller.texts:
            del self.waiting[caller.name]
            self._idle[caller.name] = caller
            if len(self._idle) > MOST_CALLERS:
                self._idle.popitem(last=False)

    def next(self) -> Entry | None:
        """Give the oldest text of the caller that has been served least; None where nothing waits."""
        if not self.waiting:
            return None
        caller = min(self.waiting.values(), key=_served)
        self._floor = max(self._floor, caller.served)
        return next(iter(caller.texts))

    def next_short(self, most: int, *, served: float, texts: int) -> Entry | None:
        """Give the oldest text of a short call, of the caller that has been served least; None where there is none.

        Args:
            most: tokens of the call.
            served: tokens; callers who have been served more are left out.
            texts: callers with more that wait are left out.
        """
        callers = [
            caller
            for caller in self.waiting.values()
            if caller.short and caller.served <= served and len(caller.texts) <= texts
        ]
        for caller in sorted(callers, key=_served):
            for entry in islice(caller.short, _LOOKED_AT):
                if entry.call_tokens <= most:
                    return entry
        return None

    def least_served(self) -> float:
        """Give the tokens that the least served caller has had; infinite where a caller waits alone."""
        if len(self.waiting) < 2:
            return math.inf
        least: int = min(map(_served, self.waiting.values()))
        return least

    def ahead(self, name: str, tokens: int) -> int:
        """Count the tokens, the caller's and others', that have their turn before the last of the caller's next ones.

        Of another caller these are as many as it takes until it has been served as much.

        Args:
            name: the identity of the caller.
            tokens: number of tokens that the caller would add now.
        """
        caller = self.waiting.get(name)
        own = caller.tokens if caller else 0
        known = caller or self._idle.get(name)
        served = max(known.served if known else 0, self._floor) + own + tokens
        others = (other for other in self.waiting.values() if other is not caller)
        return own + sum(min(other.tokens, max(0, served - other.served)) for other in others)

    def most_tokens(self) -> int:
        """Count the tokens that wait of the caller with most of them."""
        return max((caller.tokens for caller in self.waiting.values()), default=0)

    def _arrived(self, name: str) -> Caller:
        if len(self.waiting) >= MOST_CALLERS:
            name = _REST
            if name in self.waiting:
                return self.waiting[name]
        caller = self.waiting[name] = self._idle.pop(name) if name in self._idle else Caller(name)
        caller.served = max(caller.served, self._floor)
        return caller
