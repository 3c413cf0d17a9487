import asyncio

import pytest

from polyseme.server.errors import ConfigError, QueueFullError
from polyseme.server.memory.budget import Budget, Share
from polyseme.server.memory.watch import MemoryWatch, room_for_calls

MIB = 1 << 20


class Transfers:
    """Those that wait; each request holds 10 MiB, each reply 10."""

    def __init__(self, requests=0, replies=0):
        self.requests, self.replies = requests, replies
        self.looked_for_late = 0

    under_way = True

    def end_late(self):
        self.looked_for_late += 1

    def end_requests(self, size):
        ended = min(self.requests, -(-size // (10 * MIB)))
        self.requests -= ended
        return ended

    def end_replies(self, size):
        ended = min(self.replies, -(-max(size, 0) // (10 * MIB)))
        self.replies -= ended
        return ended


def look(resident, transfers, budget=None, *, trimmed=None):
    budget = budget or Budget()
    sizes = [resident]
    watch = MemoryWatch(
        100 * MIB,
        budget,
        transfers,
        resident=lambda: int(sizes[-1] * MIB),
        trim=lambda: trimmed is None or sizes.append(trimmed),
    )
    asyncio.run(watch.look())
    return budget


def test_nothing_ends_while_there_is_memory():
    transfers = Transfers(requests=5, replies=5)
    budget = look(84, transfers)
    assert (transfers.requests, transfers.replies, budget.is_short, transfers.looked_for_late) == (5, 5, False, 1)


def test_requests_end_where_memory_is_short_as_many_as_is_needed(caplog):
    transfers = Transfers(requests=5, replies=5)
    budget = look(97, transfers)
    assert (transfers.requests, transfers.replies, budget.is_short) == (3, 5, True)
    assert "ended 2 calls that waited for their callers; 97 MiB held of 100" in caplog.text


def test_replies_end_where_there_are_no_requests():
    transfers = Transfers(replies=5)
    assert not look(90, transfers).is_short
    assert transfers.replies == 4


def test_memory_that_was_only_kept_by_the_c_library_is_given_back_first():
    transfers = Transfers(requests=5)
    assert not look(120, transfers, trimmed=50).is_short
    assert transfers.requests == 5


def test_replies_make_room_for_a_call_that_was_refused():
    transfers, budget = Transfers(requests=5, replies=5), Budget(100 * MIB)
    Share(budget).take(95 * MIB)
    with pytest.raises(QueueFullError):
        Share(budget).take(20 * MIB)
    look(10, transfers, budget)
    assert (transfers.requests, transfers.replies, budget.wanted) == (5, 3, 0)
    look(10, transfers, budget)
    assert transfers.replies == 3


def test_room_for_calls_is_what_the_server_leaves():
    assert room_for_calls("100MiB", 100 * MIB, 40 * MIB) == 45 * MIB
    with pytest.raises(ConfigError, match="--max-memory 100MiB: 100 MiB, of which the server holds 90 before any call"):
        room_for_calls("100MiB", 100 * MIB, 90 * MIB)
