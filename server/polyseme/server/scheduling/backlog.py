"""The texts that wait, and the choice of those to run next. Pure: no clock, no threads, no I/O; `now` is passed in.

Texts lie in buckets of one batch key and similar length, one set of buckets per priority. A batch is led by the oldest
text of the caller whose turn it is (`callers.py`), so nothing starves; it is filled with texts of similar length, so
that little goes to padding. Batches are short while others could come and would wait behind them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from polyseme.server.scheduling.callers import Callers
from polyseme.server.scheduling.entry import Entry, Priority
from polyseme.server.scheduling.policy import BatchPolicy

Bucket = OrderedDict[Entry, None]  # in order of arrival; any member leaves in O(1)
Key = tuple[Hashable, int]  # batch key, step of length


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequeued:
    """The texts that leave the backlog together.

    Attributes:
        batch: to be run together; may be empty.
        leaves_work: whether others still wait; False of a batch that overtakes them.
        expired: texts whose deadline has passed, or would pass while they are run: never to be run.
    """

    batch: list[Entry]
    expired: list[Entry]
    leaves_work: bool = False


class Backlog:
    """The texts that wait.

    Attributes:
        tokens: how many tokens wait.
    """

    def __init__(self, policy: BatchPolicy, *, runners: int = 1) -> None:
        """Begin empty.

        Args:
            policy: how batches are made.
            runners: how many batches are run side by side.
        """
        self.policy = policy
        self.tokens = 0
        self._runners = runners
        self._portions = [_portion(policy, quarters) for quarters in range(5)]
        self._waiting: dict[Priority, dict[Key, Bucket]] = {priority: {} for priority in Priority}
        self._callers = {priority: Callers() for priority in Priority}
        self._texts = 0
        self._led_since_bulk = 0
        # The last caller of interactive work, when it came, and when last another one did.
        self._last_caller, self._last_at, self._other_at = "", -math.inf, -math.inf

    def __len__(self) -> int:
        """Count the texts that wait."""
        return self._texts

    @property
    def short_texts(self) -> int:
        """Number of texts of short calls that wait, of those that may overtake."""
        return self._callers[Priority.INTERACTIVE].short_texts

    def is_full(self, priority: Priority, caller: str) -> bool:
        """Tell whether a caller's work is refused. A call is admitted whole, so the last one may exceed the limit.

        A caller with less than half of its share is let in beyond the limit, while all but the heaviest hold less than
        the limit: nobody can fill the queue for others.
        """
        limit = self.policy.max_queue_tokens
        if self.tokens < limit:
            return False
        callers = self._callers[priority]
        own = callers.waiting.get(caller)
        if own is not None and own.tokens * 2 * len(callers.waiting) >= limit:
            return True
        rivals = Priority if priority is Priority.INTERACTIVE else (priority,)
        return self.tokens - max(self._callers[rival].most_tokens() for rival in rivals) >= limit

    def ahead(self, priority: Priority, caller: str, tokens: int) -> int:
        """Count the tokens that run before the last of a caller's next ones; texts that come later are not known.

        Of every `bulk_share` batches, one is led by bulk work while there is any.

        Args:
            priority: of the caller's work.
            caller: the identity of the caller.
            tokens: number of tokens that the caller would add now.
        """
        own, other = self._callers[priority], self._callers[Priority(1 - priority)]
        before = own.ahead(caller, tokens)
        interactive_share = max(1, self.policy.bulk_share - 1)
        if priority is Priority.INTERACTIVE:
            return before + min(other.tokens, (before + tokens) // interactive_share)
        return before + min(other.tokens, (before + tokens) * interactive_share)

    def add(self, entry: Entry) -> None:
        """Put a text behind those of its priority and length, and of its caller."""
        key = entry.bucket = _key(entry)
        self._waiting[entry.priority].setdefault(key, OrderedDict())[entry] = None
        self._callers[entry.priority].add(entry)
        self.tokens += entry.tokens
        self._texts += 1
        if entry.priority is Priority.INTERACTIVE:
            if entry.caller != self._last_caller:
                self._last_caller, self._other_at = entry.caller, self._last_at
            self._last_at = entry.arrived

    def discard(self, entry: Entry) -> bool:
        """Take a text out that nobody waits for any more; False where it has left already."""
        if entry.place is None or entry not in entry.place.texts:
            return False
        buckets = self._waiting[entry.priority]
        bucket = buckets[entry.bucket]
        del bucket[entry]
        if not bucket:
            del buckets[entry.bucket]
        self._callers[entry.priority].remove(entry)
        self.tokens -= entry.tokens
        self._texts -= 1
        return True

    def ready_at(self) -> float | None:
        """When the next batch may start: in the past where one can start now; None where nothing waits."""
        if not self._texts:
            return None
        policy = self.policy
        if self._texts >= policy.max_batch_texts or self.tokens >= policy.max_batch_tokens:
            return -math.inf
        return min(entry.arrived for entry in self._heads()) + policy.max_wait_s

    def take(self, now: float, token_s: float = 0.0, short: int = 0) -> Dequeued:
        """Remove the next batch, and what expired on the way to it.

        Args:
            now: the time.
            token_s: seconds that a token takes, at least. What has less time left would be run for nobody, and is run
                only where nothing else waits.
            short: most tokens of a batch that overtakes: it is led by the text of a short call; 0: it is the next one.
        """
        expired: list[Entry] = []
        while (lead := self._short_lead(short) if short else self._lead()) is not None:
            policy = _within(self.policy, short) if short else self._portions[self._quarters(lead, now)]
            self.discard(lead)
            if lead.deadline > now + (lead.tokens * token_s if self._texts else 0.0):
                batch = self._filled(lead, policy, now, token_s, expired)
                for entry in batch:
                    entry.place.served += entry.tokens
                return Dequeued(batch=batch, expired=expired, leaves_work=self._texts > 0 and not short)
            expired.append(lead)
        return Dequeued(batch=[], expired=expired)

    def drain(self) -> list[Entry]:
        """Remove everything."""
        entries = [entry for buckets in self._waiting.values() for bucket in buckets.values() for entry in bucket]
        for entry in entries:
            self.discard(entry)
        return entries

    def _lead(self) -> Entry | None:
        """Choose the text that leads the next batch, by the priority and the caller whose turn it is."""
        interactive, bulk = self._callers[Priority.INTERACTIVE], self._callers[Priority.BULK]
        if not bulk.waiting:
            return interactive.next()
        if interactive.waiting and self._led_since_bulk + 1 < self.policy.bulk_share:
            self._led_since_bulk += 1
            return interactive.next()
        self._led_since_bulk = 0
        return bulk.next()

    def _short_lead(self, most: int) -> Entry | None:
        """Choose the text of a short call that may overtake.

        It is interactive, of a caller who is not a batch ahead of others, and who has no more texts that wait than a
        batch takes: for whoever sends more, how many are run counts, and in full batches these are more.
        """
        policy, interactive = self.policy, self._callers[Priority.INTERACTIVE]
        if not interactive.short_texts:
            return None
        served = interactive.least_served() + policy.max_batch_tokens
        return interactive.next_short(most, served=served, texts=policy.max_batch_texts)

    def _quarters(self, lead: Entry, now: float) -> int:
        """Choose the size of the next batch, in quarters of a full one: small while others would wait behind it.

        Those who wait are spread over the runners first. Others are those with interactive work, and all bulk as one.
        """
        interactive, bulk = self._callers[Priority.INTERACTIVE].waiting, self._callers[Priority.BULK].waiting
        parties = len(interactive) + bool(bulk)
        if parties > 1 and interactive:
            return min(4, -(-parties // self._runners))
        others = lead.priority is Priority.BULK or lead.caller != self._last_caller
        came = self._last_at if others else self._other_at
        return 1 if now - came < self.policy.short_for_s else 4

    def _filled(
        self, lead: Entry, policy: BatchPolicy, now: float, token_s: float, expired: list[Entry]
    ) -> list[Entry]:
        batch = [lead]
        if not self._texts:
            return batch
        shortest = longest = tokens = lead.tokens
        cells = policy.max_batch_cells or policy.max_batch_tokens
        ahead = {p: callers.least_served() + self.policy.max_batch_tokens for p, callers in self._callers.items()}
        for entry in self._company(lead, policy):
            low, high = min(shortest, entry.tokens), max(longest, entry.tokens)
            if len(batch) >= policy.max_batch_texts or (len(batch) + 1) * longest > cells:
                break
            if tokens + policy.min_fill * longest > policy.max_batch_tokens:  # no text that fits would fill it well
                break
            if tokens + entry.tokens > policy.max_batch_tokens:
                continue
            if low < policy.min_fill * high or (len(batch) + 1) * high > cells:
                continue
            if entry.place.served > ahead[entry.priority]:  # its caller is a batch ahead of one that waits
                continue
            self.discard(entry)
            if entry.deadline <= now + entry.tokens * token_s:
                expired.append(entry)
                continue
            batch.append(entry)
            tokens += entry.tokens
            shortest, longest = low, high
        return batch

    def _company(self, lead: Entry, policy: BatchPolicy) -> Iterator[Entry]:
        """Texts of its batch key and similar length, nearest buckets first, the lead's priority before the other."""
        batch_key, center = lead.bucket
        own, other = self._waiting[lead.priority], self._waiting[Priority(1 - lead.priority)]
        for step in _outwards(center, _reach(policy.min_fill)):
            for buckets in (own, other):
                if bucket := buckets.get((batch_key, step)):
                    # A copy, as entries leave while the batch is filled; a batch needs no more than this many.
                    yield from _first(bucket, self.policy.max_batch_texts)

    def _heads(self) -> Iterator[Entry]:
        return (_head(bucket) for buckets in self._waiting.values() for bucket in buckets.values())


def _head(bucket: Bucket) -> Entry:
    return next(iter(bucket))


def _first(entries: Iterable[Entry], count: int) -> list[Entry]:
    return [entry for entry, _ in zip(entries, range(count), strict=False)]


def _portion(policy: BatchPolicy, quarters: int) -> BatchPolicy:
    """Give the policy of batches of so many quarters of a full one."""
    return replace(
        policy,
        max_batch_tokens=max(1, policy.max_batch_tokens * quarters // 4),
        max_batch_cells=policy.max_batch_cells * quarters // 4,
        max_batch_texts=max(1, policy.max_batch_texts * quarters // 4),
    )


def _within(policy: BatchPolicy, tokens: int) -> BatchPolicy:
    """Give the policy of batches of so many tokens, padding counted."""
    return replace(policy, max_batch_tokens=min(policy.max_batch_tokens, tokens), max_batch_cells=0)


_BUCKET_RATIO: Final = math.log(1.15)  # neighbouring buckets differ by 15%: fewer than 50 up to 512 tokens


def _key(entry: Entry) -> Key:
    return entry.batch_key, int(math.log(entry.tokens) / _BUCKET_RATIO)


def _reach(min_fill: float) -> int:
    """Count the buckets that a text can be away and still fill a batch well enough."""
    return 64 if min_fill <= 0 else min(64, math.ceil(-math.log(min_fill) / _BUCKET_RATIO))


def _outwards(center: int, reach: int) -> Iterator[int]:
    yield center
    for distance in range(1, reach + 1):
        yield center - distance
        yield center + distance
