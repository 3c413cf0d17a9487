import asyncio
import threading

import numpy as np
import pytest

from polyseme.runtime.tasks import PooledVector
from polyseme.server.errors import DeadlineExpiredError, EngineError, QueueFullError
from polyseme.server.scheduling import BatchPolicy, Entry, Scheduler


class Reports(list):
    batch_done = list.append


class Engine:
    """Answers each text with its first id; can be held at a gate so that a queue builds up behind it."""

    def __init__(self):
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()
        self.busy = threading.Semaphore(0)

    def __call__(self, entries, *, alone):
        self.batches.append([e.ids[0] for e in entries])
        self.busy.release()
        assert self.gate.wait(300)
        if any(e.ids[0] == 13 for e in entries):
            raise RuntimeError("unlucky")
        return [np.array([e.ids[0]], dtype=np.float32) for e in entries]

    async def held(self):
        """Wait until a batch stands at the gate."""
        assert await asyncio.to_thread(self.busy.acquire, timeout=300)


def texts(*numbers, deadline=float("inf")):
    return [Entry(ids=[n] * 10, task=PooledVector(), deadline=deadline) for n in numbers]


def scheduled(body, *, runners=1, clock=None, **changes):
    """Run `body(scheduler, engine, reports)` on a loop with a scheduler that is closed behind it."""
    policy = BatchPolicy(**{"max_batch_tokens": 40, "max_batch_texts": 4, "max_queue_tokens": 1000, **changes})
    engine, reports = Engine(), Reports()

    async def main():
        extra = {"clock": clock} if clock else {}
        scheduler = Scheduler(policy, engine, runners=runners, observer=reports, **extra)
        try:
            return await body(scheduler, engine, reports)
        finally:
            engine.gate.set()
            await scheduler.close()

    return asyncio.run(main())


def test_submit_returns_rows_in_order():
    async def body(scheduler, _engine, _reports):
        completed = await scheduler.submit(texts(*range(20, 70)))
        assert list(range(20, 70)) == [int(row[0]) for row in completed.rows]

    scheduled(body, runners=3)


def test_submit_batches_across_calls():
    async def body(scheduler, engine, reports):
        engine.gate.clear()
        first = asyncio.create_task(scheduler.submit(texts(1)))
        await engine.held()
        rest = [asyncio.create_task(scheduler.submit(texts(n))) for n in (2, 3, 4)]
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *rest)
        assert engine.batches == [[1], [2, 3, 4]]
        assert [report.texts for report in reports] == [1, 3]
        assert [report.tokens for report in reports] == [10, 30]

    scheduled(body)


def test_submit_refuses_when_full():
    async def body(scheduler, engine, _reports):
        engine.gate.clear()
        first = asyncio.create_task(scheduler.submit(texts(1)))
        await engine.held()
        second = asyncio.create_task(scheduler.submit(texts(2, 3)))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="20 tokens; limit 20") as refused:
            await scheduler.submit(texts(4))
        assert refused.value.retry_after_s > 0
        engine.gate.set()
        await asyncio.gather(first, second)

    scheduled(body, max_queue_tokens=20)


def test_cancelled_work_never_runs():
    async def body(scheduler, engine, _reports):
        engine.gate.clear()
        first = asyncio.create_task(scheduler.submit(texts(1)))
        await engine.held()
        doomed = [asyncio.create_task(scheduler.submit(texts(n))) for n in range(100, 200)]
        await asyncio.sleep(0)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        assert scheduler.queued_tokens == 0
        engine.gate.set()
        await first
        await scheduler.submit(texts(2))
        assert engine.batches == [[1], [2]]

    scheduled(body)


def test_expired_work_never_runs():
    now = [0.0]

    async def body(scheduler, engine, _reports):
        engine.gate.clear()
        first = asyncio.create_task(scheduler.submit(texts(1)))
        await engine.held()
        late = asyncio.create_task(scheduler.submit(texts(2, deadline=5.0)))
        await asyncio.sleep(0)
        now[0] = 6.0
        engine.gate.set()
        await first
        with pytest.raises(DeadlineExpiredError):
            await late
        assert engine.batches == [[1]]

    scheduled(body, clock=lambda: now[0])


def test_an_exception_of_the_engine_ends_the_call_and_not_the_runner():
    async def body(scheduler, _engine, _reports):
        with pytest.raises(EngineError):
            await scheduler.submit(texts(13))
        completed = await scheduler.submit(texts(7))
        assert completed.rows[0][0] == 7

    scheduled(body)


def test_one_failed_text_drops_the_rest_of_its_call():
    async def body(scheduler, _engine, _reports):
        with pytest.raises(EngineError):
            await scheduler.submit(texts(13, *range(100, 140)))
        assert scheduler.queued_tokens == 0
        assert (await scheduler.submit(texts(7))).rows[0][0] == 7

    scheduled(body)


def test_close_ends_every_future():
    async def body(scheduler, engine, _reports):
        engine.gate.clear()
        running = asyncio.create_task(scheduler.submit(texts(1)))
        await engine.held()
        waiting = asyncio.create_task(scheduler.submit(texts(2)))
        await asyncio.sleep(0)
        closing = asyncio.create_task(scheduler.close())
        with pytest.raises(EngineError, match="stopped"):
            await waiting
        engine.gate.set()
        await closing
        assert (await running).rows[0][0] == 1
        with pytest.raises(EngineError, match="stopped"):
            await scheduler.submit(texts(3))

    scheduled(body)


def test_completed_times_add_up():
    now = [0.0]

    def clock():
        now[0] += 1.0
        return now[0]

    async def body(scheduler, _engine, reports):
        completed = await scheduler.submit(texts(1))
        assert completed.queued < completed.started < completed.ended
        (report,) = reports
        assert report.started == completed.started
        assert report.started + report.run_s < completed.ended

    scheduled(body, clock=clock)


def beside(tokens, *, deadline, **submit):
    """Submit a text beside so many tokens that wait, where batches of 40 take a second each; gives what it is."""

    async def body(scheduler, engine, _reports):
        for _ in range(3):
            scheduler._forecast.note_batch(tokens=40, run_s=1.0)
        scheduler._forecast.off = 1.0
        engine.gate.clear()
        calls = [asyncio.create_task(scheduler.submit(texts(1)))]
        await engine.held()
        if tokens:
            calls.append(asyncio.create_task(scheduler.submit(texts(*range(100, 100 + tokens // 10)))))
            await asyncio.sleep(0)
        last = asyncio.create_task(scheduler.submit(texts(7, deadline=deadline), **submit))
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(*calls)
        return (await last).rows[0][0]

    return scheduled(body, clock=lambda: 0.0)


def test_what_would_be_answered_too_late_is_refused_and_told_when_to_come_again():
    said = "400 tokens wait before it: an answer takes 11.25 s; deadline in 12.00 s"
    with pytest.raises(QueueFullError, match=said) as refused:
        beside(400, deadline=12.0)
    assert refused.value.retry_after_s == pytest.approx(11.25 - 0.75 * 12)


def test_what_can_be_answered_in_time_is_not_refused():
    assert beside(400, deadline=16.0) == 7


def test_work_without_a_deadline_is_never_late():
    assert beside(900, deadline=float("inf")) == 7


def test_where_nothing_waits_nothing_is_refused():
    assert beside(0, deadline=0.01) == 7


def test_who_waits_for_room_is_not_refused_for_its_deadline():
    assert beside(400, deadline=12.0, refuse_late=False) == 7


def test_a_server_that_was_overloaded_trusts_its_forecasts_again():
    """Else it would refuse for ever what it could answer: what is refused does not show how long it takes."""

    async def body(scheduler, _engine, _reports):
        forecast = scheduler._forecast
        forecast.note_batch(tokens=10, run_s=1.0)
        for _ in range(100):
            forecast.note_answered(expected_s=1.0, took_s=9.0)
        for _ in range(100):
            for _ in range(2):  # the speed stays known beside batches that take no time by this clock
                forecast.note_batch(tokens=10, run_s=1.0)
            await scheduler.submit(texts(1, deadline=1000.0))
        assert forecast.off < 1.1

    scheduled(body, clock=lambda: 0.0)


def test_a_server_that_was_slow_is_foreseen_as_fast_again():
    async def body(scheduler, _engine, _reports):
        for _ in range(16):
            scheduler._forecast.note_batch(tokens=40, run_s=9000.0)
        for _ in range(100):
            await scheduler.submit(texts(1))
        assert scheduler._forecast.token_s < 9000 / 40 / 2

    scheduled(body)
