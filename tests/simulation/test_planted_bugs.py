"""A bug planted into the server's own code breaks its invariant within 1,000 seeds; mostly in the first ones."""

import math
from dataclasses import replace

import pytest
from bench.simulation.simulate import first_violation

from polyseme.server.engine.runner import Runner
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.lifecycle.models import ModelLifecycle
from polyseme.server.scheduling import backlog, callers, forecast, runner_pool, scheduler
from polyseme.server.scheduling.backlog import Backlog, Dequeued
from polyseme.server.scheduling.forecast import Forecast

SEEDS = range(1000)
OVERLOADED = range(15, 1000, 16)


def loses_a_text(monkeypatch):
    take = Backlog.take

    def lossy(self, *args):
        dequeued = take(self, *args)
        return Dequeued(batch=dequeued.batch[:3], expired=dequeued.expired)

    monkeypatch.setattr(Backlog, "take", lossy)


def runs_a_text_twice(monkeypatch):
    add = Backlog.add

    def twice(self, entry):
        add(self, entry)
        if entry.tokens == 40:
            add(self, replace(entry))

    monkeypatch.setattr(Backlog, "add", twice)


def runs_what_was_cancelled(monkeypatch):
    monkeypatch.setattr(scheduler.Scheduler, "_drop", lambda self, entries: None)


def does_not_wake_the_runners(monkeypatch):
    monkeypatch.setattr(runner_pool.RunnerPool, "wake", lambda *_: None)


def closes_a_model_under_its_calls(monkeypatch):
    async def at_once(self):
        return

    monkeypatch.setattr(Admission, "wait_until_left", at_once)


def forgets_deadlines(monkeypatch):
    def run_all(self, entries, now):
        return self._run([replace(entry, deadline=math.inf) for entry in entries])

    take = Backlog.take
    monkeypatch.setattr(Backlog, "take", lambda self, *_: take(self, -math.inf))
    monkeypatch.setattr(Runner, "_without_expired", run_all)


def makes_batches_too_large(monkeypatch):
    portion = backlog._portion

    def larger(policy, quarters):
        portioned = portion(policy, quarters)
        return replace(portioned, max_batch_texts=portioned.max_batch_texts + 1)

    monkeypatch.setattr(backlog, "_portion", larger)


def pads_too_much(monkeypatch):
    portion = backlog._portion
    monkeypatch.setattr(backlog, "_portion", lambda *args: replace(portion(*args), min_fill=0.5))


def has_no_end_of_the_queue(monkeypatch):
    monkeypatch.setattr(Backlog, "is_full", lambda self, priority, caller: False)


def lets_too_many_calls_in(monkeypatch):
    monkeypatch.setattr(Admission, "check", lambda self, caller: None)
    monkeypatch.setattr(Admission, "check_arrival", lambda self, metadata: None)


def mixes_up_rows(monkeypatch):
    put = scheduler.Ticket.put

    def reversed_put(self, entry, row, now):
        put(self, replace(entry, position=len(self.rows) - 1 - entry.position), row, now)

    monkeypatch.setattr(scheduler.Ticket, "put", reversed_put)


def serves_the_newest_first(monkeypatch):
    following = callers.Callers.next

    def newest(self):
        entry = following(self)
        return next(reversed(entry.place.texts)) if entry else None

    monkeypatch.setattr(callers.Callers, "next", newest)


def serves_in_order_of_arrival(monkeypatch):
    def oldest(self):
        heads = [next(iter(caller.texts)) for caller in self.waiting.values()]
        return min(heads, key=lambda entry: entry.arrived, default=None)

    monkeypatch.setattr(callers.Callers, "next", oldest)


def charges_company_to_nobody(monkeypatch):
    take = Backlog.take

    def free(self, *args):
        dequeued = take(self, *args)
        for entry in dequeued.batch[1:]:
            entry.place.served -= entry.tokens
        return dequeued

    monkeypatch.setattr(Backlog, "take", free)


def serves_the_newest_short_call_first(monkeypatch):
    next_short = callers.Callers.next_short

    def newest(self, most, **bounds):
        entry = next_short(self, most, **bounds)
        fitting = (other for other in reversed(entry.place.short) if other.call_tokens <= most) if entry else ()
        return next(iter(fitting), None)

    monkeypatch.setattr(callers.Callers, "next_short", newest)


def changes_a_model_in_place(monkeypatch):
    models = ModelLifecycle._models

    async def in_place(self):
        old, new = self._registry.models, await models(self)
        for model in old:
            latest = new.find(model.manifest.name, "")
            model.engine.engine, model.engine.scheduler = latest.engine.engine, latest.engine.scheduler
        return new

    monkeypatch.setattr(ModelLifecycle, "_models", in_place)


def lets_in_what_cannot_be_answered_in_time(monkeypatch):
    admit = scheduler.Scheduler.admit
    monkeypatch.setattr(scheduler.Scheduler, "admit", lambda self, priority, caller, *_: admit(self, priority, caller))


def takes_forecasts_at_their_word(monkeypatch):
    monkeypatch.setattr(forecast, "_OFF_AT_FIRST", 1.0)
    monkeypatch.setattr(Forecast, "note_answered", lambda self, *_: None)


PLANTED = [
    (loses_a_text, "ends once"),
    (runs_a_text_twice, "ends once"),
    (runs_what_was_cancelled, "ends once"),
    (does_not_wake_the_runners, "ends once"),
    (closes_a_model_under_its_calls, "ends once"),
    (forgets_deadlines, "deadline"),
    (makes_batches_too_large, "budget"),
    (pads_too_much, "budget"),
    (has_no_end_of_the_queue, "budget"),
    (lets_too_many_calls_in, "budget"),
    (mixes_up_rows, "order"),
    (serves_the_newest_first, "order"),
    (serves_in_order_of_arrival, "share"),
    (charges_company_to_nobody, "share"),
    (serves_the_newest_short_call_first, "order"),
    (changes_a_model_in_place, "one model"),
    (lets_in_what_cannot_be_answered_in_time, "goodput"),
    (takes_forecasts_at_their_word, "goodput"),
]


@pytest.mark.parametrize(("plant", "invariant"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_bug_is_found(monkeypatch, plant, invariant):
    plant(monkeypatch)
    found = first_violation(OVERLOADED if invariant == "goodput" else SEEDS, invariant)
    assert found is not None
    print(f"seed {found[0]}: {found[1].what}")
