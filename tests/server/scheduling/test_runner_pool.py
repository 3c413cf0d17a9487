"""Several queues on one thread: whose batch is next. Time is a number that batches move."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from polyseme.runtime.tasks import PooledVector
from polyseme.server.errors import EngineError
from polyseme.server.scheduling import BatchPolicy, Entry, RunnerPool, Scheduler

POLICY = BatchPolicy(max_batch_tokens=40, max_batch_texts=1, max_queue_tokens=1000)


class Observer:
    def batch_done(self, report):
        pass


class World:
    """A pool of one thread, a clock, and what ran in which order. Each model takes so many seconds a batch."""

    def __init__(self, threads=1, **seconds):
        self.now = 0.0
        self.after = lambda name: None  # called when a batch has run
        self.ran, self.alone = [], []
        self.gate, self.busy = threading.Event(), threading.Semaphore(0)
        self.gate.set()
        self.pool = RunnerPool(threads, clock=lambda: self.now)
        self.schedulers = {
            name: Scheduler(POLICY, self._engine(name, each), runners=self.pool, observer=Observer())
            for name, each in seconds.items()
        }

    def _engine(self, name, seconds):
        def run(entries, *, alone):
            self.alone.append(alone)
            self.ran.append(name)
            self.busy.release()
            assert self.gate.wait(300)
            self.now += seconds
            self.after(name)
            return [np.array([ord(name), entry.ids[0]], dtype=np.float32) for entry in entries]

        return run

    def submit(self, name, count):
        entries = [Entry(ids=[n + 1] * 10, task=PooledVector()) for n in range(count)]
        return asyncio.create_task(self.schedulers[name].submit(entries))

    async def hold(self, name):
        """One batch of a model stands at the gate; what is submitted now waits behind it."""
        self.gate.clear()
        self.busy = threading.Semaphore(0)
        held = self.submit(name, 1)
        assert await asyncio.to_thread(self.busy.acquire, timeout=300)
        return held

    async def release(self, *tasks):
        self.gate.set()
        return await asyncio.wait_for(asyncio.gather(*tasks), 300)

    async def close(self):
        self.gate.set()
        for scheduler in self.schedulers.values():
            await scheduler.close()
        await self.pool.close()


def world(body, **options):
    async def main():
        it = World(**options)
        try:
            await body(it)
        finally:
            await it.close()

    asyncio.run(main())


async def queued(it, *counts):
    """Submit for each (name, count) behind a batch of a model "z" that is held, and run all."""
    held = await it.hold("z")
    tasks = [it.submit(name, count) for name, count in counts]
    await asyncio.sleep(0)
    return await it.release(held, *tasks)


def test_batches_one_after_the_other_are_alone():
    async def body(it):
        await it.submit("a", 1)
        await it.submit("a", 1)
        await it.submit("b", 1)
        assert it.alone == [True, True, True]

    world(body, a=0.0, b=0.0)


def test_a_batch_is_not_alone_while_others_run():
    async def body(it):
        held = await it.hold("a")
        beside = it.submit("b", 1)
        assert await asyncio.to_thread(it.busy.acquire, timeout=300)
        assert it.alone == [True, False]
        await it.release(held, beside)

    world(body, threads=2, a=0.0, b=0.0)


def test_a_batch_is_not_alone_while_others_wait():
    async def body(it):
        await queued(it, ("a", 2), ("b", 1))
        assert it.alone == [True, False, False, True]

    world(body, a=1.0, b=1.0, z=0.0)


def test_models_of_equal_cost_take_turns():
    async def body(it):
        await queued(it, ("a", 12), ("b", 6))
        assert sorted(it.ran[1:3]) == ["a", "b"]
        assert it.ran[1:13:2].count("a") in (0, 6)  # strictly in turn while both have work
        assert it.ran[13:] == ["a"] * 6

    world(body, a=1.0, b=1.0, z=0.0)


def test_time_is_shared_and_not_batches():
    async def body(it):
        await queued(it, ("a", 5), ("b", 20))
        both = it.ran[1:21]
        assert both.count("a") == 4
        assert both.count("b") == 16

    world(body, a=4.0, b=1.0, z=0.0)


def test_an_idle_model_is_owed_nothing():
    async def body(it):
        await it.submit("a", 50)  # alone for 50 seconds
        await queued(it, ("a", 8), ("b", 8))
        shared = it.ran[51:]
        assert shared[:10].count("a") == pytest.approx(5, abs=1), shared

    world(body, a=1.0, b=1.0, z=0.0)


def test_a_model_that_comes_back_does_not_wait_for_the_past():
    async def body(it):
        await it.submit("a", 50)
        await it.submit("b", 1)
        held = await it.hold("b")  # b is at work alone, and has had little
        late, more = it.submit("a", 3), it.submit("b", 20)
        await asyncio.sleep(0)
        await it.release(held, late, more)
        assert it.ran[52:60].count("a") == 3, it.ran[50:]

    world(body, a=1.0, b=1.0)


def test_short_idleness_does_not_pay_a_debt():
    """A model whose batches are long and come one by one has no more than its share."""

    async def body(it):
        it.after = lambda name: name == "a" and it.gate.clear()  # the flood stands until there is more of `a`
        flood = it.submit("b", 100)
        for _ in range(3):
            more = it.submit("a", 1)
            await asyncio.sleep(0)
            it.gate.set()
            await more
        it.gate.set()
        between = [i for i, name in enumerate(it.ran) if name == "a"]
        assert len(between) == 3
        assert between[1] - between[0] >= 9, it.ran
        assert between[2] - between[1] >= 9, it.ran
        await flood

    world(body, a=10.0, b=1.0)


def test_replies_never_mix():
    async def body(it):
        names = "abcabcabc"
        done = await asyncio.gather(*(it.submit(name, 5) for name in names))
        for name, completed in zip(names, done, strict=True):
            assert [row.tolist() for row in completed.rows] == [[ord(name), n] for n in range(1, 6)]

    world(body, a=0.0, b=0.0, c=0.0)


def test_closing_one_model_leaves_the_others():
    async def body(it):
        held = await it.hold("a")
        waiting = it.submit("a", 1)
        await asyncio.sleep(0)
        closing = asyncio.create_task(it.schedulers["a"].close())
        with pytest.raises(EngineError, match="stopped"):
            await waiting
        it.gate.set()
        await asyncio.wait_for(closing, 300)
        assert len((await held).rows) == 1
        assert len((await asyncio.wait_for(it.submit("b", 2), 300)).rows) == 2

    world(body, a=1.0, b=1.0)


def test_queues_are_bounded_apart():
    async def body(it):
        held = await it.hold("z")
        full = it.submit("a", 100)
        await asyncio.sleep(0)
        assert it.schedulers["a"].queued_tokens == 1000
        assert len((await it.release(held, full, it.submit("b", 1)))[2].rows) == 1

    world(body, a=0.0, b=0.0, z=0.0)


class Runners:
    """Two runners and an express runner: every batch stands until it is let go."""

    def __init__(self):
        self.begun, self.standing = asyncio.Queue(), {}
        self.loop = asyncio.get_running_loop()
        self.pool = RunnerPool(3, express=True)
        self.scheduler = Scheduler(POLICY, self.run, runners=self.pool, observer=Observer())

    def run(self, entries, *, alone):
        (entry,) = entries
        let_go = self.standing[entry.tokens] = threading.Event()
        self.loop.call_soon_threadsafe(self.begun.put_nowait, entry.tokens)
        assert let_go.wait(300)
        return [np.zeros(1, dtype=np.float32)]

    def submit(self, *tokens):
        entries = [Entry(ids=[1] * count, task=PooledVector()) for count in tokens]
        return asyncio.create_task(self.scheduler.submit(entries))

    async def next(self):
        """Tokens of the batch that has begun."""
        return await asyncio.wait_for(self.begun.get(), 300)

    async def close(self):
        for let_go in self.standing.values():
            let_go.set()
        await self.scheduler.close()
        await self.pool.close()


def runners(body):
    async def main():
        it = Runners()
        try:
            await body(it)
        finally:
            await it.close()

    asyncio.run(main())


def test_a_short_call_is_run_while_every_runner_has_a_long_text():
    async def body(it):
        calls = [it.submit(800), it.submit(801)]
        assert {await it.next(), await it.next()} == {800, 801}
        short = it.submit(20)
        assert await it.next() == 20
        it.standing[20].set()
        await short
        more = it.submit(21)
        assert await it.next() == 21
        calls += [it.submit(802), it.submit(99), it.submit(101, 102), more]
        await asyncio.sleep(0.05)
        assert it.begun.empty()  # neither a long call, nor one that is short in parts, nor one of a twelfth and more
        it.standing[800].set()
        assert await it.next() == 802  # the oldest

    runners(body)


def test_a_short_call_waits_for_a_short_run():
    async def body(it):
        it.submit(800)
        it.submit(30)
        assert {await it.next(), await it.next()} == {800, 30}
        waits = it.submit(20)
        await asyncio.sleep(0.05)
        assert it.begun.empty()
        it.standing[30].set()
        assert await it.next() == 20
        it.standing[20].set()
        await waits

    runners(body)


def test_what_waits_already_overtakes_once_every_runner_has_a_long_text():
    async def body(it):
        it.submit(800)
        it.submit(30)
        assert {await it.next(), await it.next()} == {800, 30}
        it.submit(801)
        it.submit(20)
        it.standing[30].set()
        assert {await it.next(), await it.next()} == {801, 20}

    runners(body)


def test_threads_of_others_are_used_until_the_pool_is_closed():
    """Each batch is run on one of them; then they are free for other work."""
    ran = []

    def run(entries, *, alone):
        ran.append(threading.current_thread().name)
        return [np.array([1.0], dtype=np.float32) for _ in entries]

    async def work(hosts):
        scheduler = Scheduler(POLICY, run, runners=hosts, observer=Observer())
        await asyncio.gather(*(scheduler.submit([Entry(ids=[1] * 10, task=PooledVector())]) for _ in range(20)))
        await scheduler.close()

    with ThreadPoolExecutor(2, thread_name_prefix="lent") as executor:
        asyncio.run(work([executor.submit, executor.submit]))
        assert executor.submit(lambda: 7).result(300) == 7
    assert len(ran) == 20
    assert {name.partition("_")[0] for name in ran} == {"lent"}


def test_a_runner_that_ends_by_an_error_is_heard_of(caplog):
    """Sources must not raise; were one to, its pool would have a thread less."""
    ended = []

    class Broken:
        queued_texts = short_texts = 1

        def ready_at(self):
            return 0.0

        def take(self, now):
            raise RuntimeError("no batch")

    with ThreadPoolExecutor(1) as executor:
        pool = RunnerPool([lambda serve: ended.append(executor.submit(serve)) or ended[-1]], clock=lambda: 0.0)
        member = pool.join(Broken())
        with pool.changed:
            pool.wake(member, 1, 10)
        with pytest.raises(RuntimeError, match="no batch"):
            ended[0].result(300)
        asyncio.run(pool.close())
    assert "a runner has ended" in caplog.text
