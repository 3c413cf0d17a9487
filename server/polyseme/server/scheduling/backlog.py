"""What waits, and which of it to run next. Pure: no clock, no threads, no I/O; `now` is passed in.

Texts lie in buckets of one batch key and similar length, one set of buckets per priority. A batch is led by the text
that has waited longest of its priority, so nothing starves; it is filled with texts of similar length, so that
little goes to padding.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from polyseme.server.scheduling.entry import Entry, Priority
from polyseme.server.scheduling.policy import BatchPolicy

Bucket = OrderedDict[Entry, None]  # in order of arrival; any member leaves in O(1)
Key = tuple[Hashable, int]  # batch key, step of length


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequeued:
    """What left the backlog.

    Attributes:
        batch: to be run together; may be empty.
        expired: whose deadline has passed: never to be run.
    """

    batch: list[Entry]
    expired: list[Entry]


class Backlog:
    """The texts that wait.

    Attributes:
        tokens: how many tokens wait.
    """

    def __init__(self, policy: BatchPolicy) -> None:
        self.policy = policy
        self.tokens = 0
        self._waiting: dict[Priority, dict[Key, Bucket]] = {priority: {} for priority in Priority}
        self._texts = 0
        self._led_since_bulk = 0

    def __len__(self) -> int:
        """How many texts wait."""
        return self._texts

    def limit(self, priority: Priority) -> int:
        """The waiting tokens from which on no more work is admitted; bulk leaves one half to interactive work."""
        return self.policy.max_queue_tokens // (2 if priority is Priority.BULK else 1)

    def is_full(self, priority: Priority) -> bool:
        """Whether no more work is admitted. A call is admitted whole, so the last one may exceed the limit."""
        return self.tokens >= self.limit(priority)

    def add(self, entry: Entry) -> None:
        """Put a text behind those of its priority and length."""
        self._waiting[entry.priority].setdefault(_key(entry), OrderedDict())[entry] = None
        self.tokens += entry.tokens
        self._texts += 1

    def discard(self, entry: Entry) -> bool:
        """Take a text out that nobody waits for any more; False where it has left already."""
        buckets = self._waiting[entry.priority]
        key = _key(entry)
        if key not in buckets or entry not in buckets[key]:
            return False
        del buckets[key][entry]
        if not buckets[key]:
            del buckets[key]
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

    def take(self, now: float) -> Dequeued:
        """Remove the next batch, and what expired on the way to it."""
        expired: list[Entry] = []
        while (lead := self._lead()) is not None:
            self.discard(lead)
            if lead.deadline > now:
                return Dequeued(batch=self._filled(lead, now, expired), expired=expired)
            expired.append(lead)
        return Dequeued(batch=[], expired=expired)

    def drain(self) -> list[Entry]:
        """Remove everything."""
        entries = [entry for buckets in self._waiting.values() for bucket in buckets.values() for entry in bucket]
        for entry in entries:
            self.discard(entry)
        return entries

    def _lead(self) -> Entry | None:
        """The text that leads the next batch: the oldest of the priority whose turn it is."""
        interactive, bulk = self._waiting[Priority.INTERACTIVE], self._waiting[Priority.BULK]
        bulk_is_due = self._led_since_bulk + 1 >= self.policy.bulk_share
        buckets = bulk if bulk and (bulk_is_due or not interactive) else interactive
        if bulk:
            self._led_since_bulk = 0 if buckets is bulk else self._led_since_bulk + 1
        return min(map(_head, buckets.values()), key=lambda entry: entry.arrived, default=None)

    def _filled(self, lead: Entry, now: float, expired: list[Entry]) -> list[Entry]:
        batch = [lead]
        if not self._texts:
            return batch
        shortest = longest = tokens = lead.tokens
        policy = self.policy
        cells = policy.max_batch_cells or policy.max_batch_tokens
        for entry in self._company(lead):
            low, high = min(shortest, entry.tokens), max(longest, entry.tokens)
            if len(batch) >= policy.max_batch_texts or (len(batch) + 1) * longest > cells:
                break
            if tokens + entry.tokens > policy.max_batch_tokens:
                continue
            if low < policy.min_fill * high or (len(batch) + 1) * high > cells:
                continue
            self.discard(entry)
            if entry.deadline <= now:
                expired.append(entry)
                continue
            batch.append(entry)
            tokens += entry.tokens
            shortest, longest = low, high
        return batch

    def _company(self, lead: Entry) -> Iterator[Entry]:
        """Texts of its batch key and similar length, nearest buckets first, the lead's priority before the other."""
        batch_key, center = _key(lead)
        priorities = [lead.priority, *(priority for priority in Priority if priority is not lead.priority)]
        for step in _outwards(center, _reach(self.policy.min_fill)):
            for priority in priorities:
                # A copy, as entries leave while the batch is filled; a batch needs no more than this many.
                yield from _first(self._waiting[priority].get((batch_key, step), ()), self.policy.max_batch_texts)

    def _heads(self) -> Iterator[Entry]:
        return (_head(bucket) for buckets in self._waiting.values() for bucket in buckets.values())


def _head(bucket: Bucket) -> Entry:
    return next(iter(bucket))


def _first(entries: Iterable[Entry], count: int) -> list[Entry]:
    return [entry for entry, _ in zip(entries, range(count), strict=False)]


_BUCKET_RATIO = math.log(1.15)  # neighbouring buckets differ by 15%: fewer than 50 up to 512 tokens


def _key(entry: Entry) -> Key:
    return entry.batch_key, int(math.log(entry.tokens) / _BUCKET_RATIO)


def _reach(min_fill: float) -> int:
    """How many buckets away a text can still fill a batch well enough."""
    return 64 if min_fill <= 0 else min(64, math.ceil(-math.log(min_fill) / _BUCKET_RATIO))


def _outwards(center: int, reach: int) -> Iterator[int]:
    yield center
    for distance in range(1, reach + 1):
        yield center - distance
        yield center + distance
