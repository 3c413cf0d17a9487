"""Messages between front ends and an engine, as bench/frontends sends them."""

import numpy as np
import pytest
from bench.frontends.messages import Inbox, decode_call, decode_rows, encode_call, encode_end, encode_rows

from polyseme.runtime.tasks import PooledVector
from polyseme.server.engine.client import Submission, TextTask
from polyseme.server.scheduling import Completed, Origin, Priority


def submission(*texts):
    task = PooledVector(normalized=True, half=False)
    return Submission(
        texts=[TextTask(ids, task) for ids in texts],
        priority=Priority.BULK,
        deadline=12.5,
        origin=Origin("id-7"),
        caller="tokén",
    )


def messages(data, size):
    inbox = Inbox()
    return [bytes(each) for at in range(0, len(data), size) for each in inbox.feed(data[at : at + size])]


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_messages_are_whole_however_bytes_come(size):
    first, second = encode_call(1, submission([101, 7, 102])), encode_call(2, submission([1] * 40, [2]))
    got = [decode_call(memoryview(message)) for message in messages(first + encode_end(1) + second, size)]
    assert [(number, sent is None) for number, sent in got] == [(1, False), (1, True), (2, False)]
    sent = got[2][1]
    assert [text.ids.tolist() for text in sent.texts] == [[1] * 40, [2]]
    assert sent.texts[0].task == PooledVector(normalized=True, half=False)
    assert (sent.priority, sent.deadline, sent.caller, sent.origin) == (Priority.BULK, 12.5, "tokén", Origin("id-7"))


def test_rows_come_back_as_they_were():
    rows = [np.arange(3, dtype=np.float32), np.full(3, 0.1, np.float32)]
    (message,) = messages(encode_rows(9, Completed(rows=rows, queued=1.0, started=2.0, ended=3.0), 77), 1 << 16)
    number, got = decode_rows(memoryview(message))
    assert (number, got.queued_tokens, got.completed.ended) == (9, 77, 3.0)
    np.testing.assert_array_equal(got.completed.rows, rows)
