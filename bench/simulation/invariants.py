"""What must hold in every simulation, judged by what happened alone. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.simulation.scenario import BASE_S, OVERLOAD_S, TOKEN_S, Arrival, Scenario
from bench.simulation.world import CANCELLED, OK, Event

REFUSALS = ("QueueFullError", "DeadlineExpiredError")
_AHEAD_BATCHES = 4  # one of a debt, one of company, and the batch under way, on both sides

_LEAST_GOODPUT = 0.8  # of what runners can do; the least of the 125 overloaded of 2,000 seeds is 0.87, the median 0.94


class Violation(NamedTuple):
    """What does not hold.

    Attributes:
        invariant: its name.
        what: where it breaks.
    """

    invariant: str
    what: str


def violations(scenario: Scenario, events: Sequence[Event]) -> Iterator[Violation]:
    """Judge one simulation."""
    calls = {text: arrival for arrival in scenario.arrivals for text in arrival.texts}
    yield from every_call_ends_once(scenario, events)
    yield from no_text_runs_twice_or_late(calls, events)
    yield from budgets_hold(scenario, calls, events)
    yield from order_is_kept(scenario, calls, events)
    yield from shares_are_fair(scenario, calls, events)
    yield from models_are_not_mixed(events)
    yield from what_is_run_is_answered_in_time(scenario, calls, events)


def every_call_ends_once(scenario: Scenario, events: Sequence[Event]) -> Iterator[Violation]:
    """Every call ends once, with rows of all its texts, or for a reason that is its own; a reload fails none."""
    ended = Counter(event.texts for event in events if event.kind == "ended")
    begun = {text for event in events if event.kind == "begun" for text in event.texts}
    for arrival in scenario.arrivals:
        if ended[tuple(arrival.texts)] != 1:
            yield Violation("ends once", f"call of text {arrival.first_text} ended {ended[tuple(arrival.texts)]} times")
    for event in events:
        if event.kind != "ended":
            continue
        if event.detail not in (OK, CANCELLED, *REFUSALS):
            yield Violation("ends once", f"call of text {event.texts[0]} ended with {event.detail}")
        if event.detail == OK and not begun.issuperset(event.texts):
            yield Violation("ends once", f"call of text {event.texts[0]} was answered and not run")


def no_text_runs_twice_or_late(calls: dict[int, Arrival], events: Sequence[Event]) -> Iterator[Violation]:
    """No text is run twice, after its deadline, or after its call has ended."""
    begun: set[int] = set()
    ended: set[int] = set()
    for event in events:
        if event.kind == "ended":
            ended.update(event.texts)
        if event.kind != "begun":
            continue
        for text in event.texts:
            if text in begun:
                yield Violation("ends once", f"text {text} was run twice")
            if event.at >= calls[text].at + calls[text].deadline_s:
                yield Violation("deadline", f"text {text} was run at {event.at:.6f} s, after its deadline")
            if text in ended:
                yield Violation("ends once", f"text {text} was run after its call had ended")
        begun.update(event.texts)


def budgets_hold(scenario: Scenario, calls: dict[int, Arrival], events: Sequence[Event]) -> Iterator[Violation]:
    """Batches, the queue and the calls under way stay within their limits."""
    policy = scenario.policy
    largest = max(sum(arrival.lengths) for arrival in scenario.arrivals)
    for event in events:
        if event.calls > 2 * scenario.max_calls:
            yield Violation("budget", f"{event.calls} calls under way; limit {scenario.max_calls} for one caller")
        if event.queued >= 2 * (policy.max_queue_tokens + largest):
            yield Violation("budget", f"{event.queued} tokens wait; limit {policy.max_queue_tokens} for one caller")
        if event.kind != "begun" or len(event.texts) == 1:
            continue
        lengths = [length_of(calls[text], text) for text in event.texts]
        if len(lengths) > policy.max_batch_texts:
            yield Violation("budget", f"a batch of {len(lengths)} texts; limit {policy.max_batch_texts}")
        if len(lengths) * max(lengths) > policy.max_batch_tokens:
            yield Violation("budget", f"a batch of {len(lengths)} x {max(lengths)}; limit {policy.max_batch_tokens}")
        if min(lengths) < policy.min_fill * max(lengths):
            yield Violation("budget", f"lengths {min(lengths)} to {max(lengths)} in one batch")


def order_is_kept(scenario: Scenario, calls: dict[int, Arrival], events: Sequence[Event]) -> Iterator[Violation]:
    """Rows come in the order of the texts; texts of one caller and length are begun in the order they came in.

    An express runner may have a shorter submission overtake a longer one.
    """
    offered: dict[int, tuple[int, int]] = {}  # of a text: its place, and the tokens that were submitted with it
    begun: dict[tuple[object, ...], list[tuple[int, int]]] = defaultdict(list)
    for place, event in enumerate(events):
        match event.kind:
            case "offered":
                tokens = sum(length_of(calls[text], text) for text in event.texts)
                offered.update((text, (place, tokens)) for text in event.texts)
            case "ended" if event.detail == OK and [number for _, number in event.rows] != list(event.texts):
                yield Violation("order", f"rows of the call of text {event.texts[0]} are not in its order")
            case "begun":
                for text in event.texts:
                    call = calls[text]
                    key = (call.caller, call.priority, length_of(call, text), event.detail)
                    place_of_it, tokens = offered[text]
                    for other_place, other_tokens in begun[key]:
                        if place_of_it < other_place and not (scenario.express and other_tokens < tokens):
                            yield Violation("order", f"text {text} was overtaken by one of its caller and length")
                            break
                    begun[key].append(offered[text])


@dataclass(slots=True)
class _Queue:
    """The callers of one model and priority.

    Attributes:
        waiting: the texts of each that wait.
        ahead: tokens that the first of two has had more than the second, since both have been waiting.
    """

    waiting: dict[str, set[int]] = field(default_factory=dict)
    ahead: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, caller: str, text: int) -> None:
        """A text waits from now on."""
        if caller not in self.waiting:
            self.ahead.update(((caller, other), 0) for other in self.waiting)
            self.waiting[caller] = set()
        self.waiting[caller].add(text)

    def remove(self, caller: str, text: int) -> None:
        """A text waits no more."""
        if caller in self.waiting:
            self.waiting[caller].discard(text)
            if not self.waiting[caller]:
                del self.waiting[caller]
                self.ahead = {pair: tokens for pair, tokens in self.ahead.items() if caller not in pair}

    def serve(self, caller: str, tokens: int) -> None:
        """Tokens of a caller are run."""
        for pair in self.ahead:
            self.ahead[pair] += tokens if pair[0] == caller else -tokens if pair[1] == caller else 0


def shares_are_fair(scenario: Scenario, calls: dict[int, Arrival], events: Sequence[Event]) -> Iterator[Violation]:
    """While two callers of one priority wait, neither gets more than a few batches ahead of the other."""
    queues: dict[tuple[str, int], _Queue] = defaultdict(_Queue)
    lies: dict[int, tuple[str, int]] = {}  # in which queue a text is
    most = _AHEAD_BATCHES * max(scenario.policy.max_batch_tokens, max(max(call.lengths) for call in scenario.arrivals))
    for event in events:
        for text in event.texts:
            call = calls[text]
            if event.kind == "offered":
                lies[text] = event.detail, call.priority
                queues[lies[text]].add(call.caller, text)
            elif text in lies:
                queue = queues[lies[text]]
                if event.kind == "begun":
                    queue.serve(call.caller, length_of(call, text))
                queue.remove(call.caller, text)
        if event.kind == "begun":
            for key, queue in queues.items():
                for pair, tokens in queue.ahead.items():
                    if abs(tokens) > most:
                        yield Violation("share", f"{pair} differ by {tokens} tokens of {key}; at most {most}")
                        return


def models_are_not_mixed(events: Sequence[Event]) -> Iterator[Violation]:
    """A call is answered by one version of its model."""
    for event in events:
        if event.kind == "ended" and len({version for version, _ in event.rows}) > 1:
            yield Violation("one model", f"the call of text {event.texts[0]} was answered by several models")


def what_is_run_is_answered_in_time(
    scenario: Scenario, calls: dict[int, Arrival], events: Sequence[Event]
) -> Iterator[Violation]:
    """A server that is asked for more than it can do spends its time on calls that are answered in time."""
    if not scenario.overloaded:
        return
    in_time: set[int] = set()
    for event in events:
        if event.kind == "ended" and event.detail == OK:
            call = calls[event.texts[0]]
            if event.at <= call.at + call.deadline_s:
                in_time.update(event.texts)
    begin = max(call.deadline_s for call in scenario.arrivals)  # a queue that was empty is full by then
    useful_s = 0.0
    for event in events:
        if event.kind == "begun" and begin <= event.at < OVERLOAD_S:
            lengths = {text: length_of(calls[text], text) for text in event.texts}
            run_s = BASE_S + TOKEN_S * len(lengths) * max(lengths.values())
            useful_s += run_s * sum(lengths[text] for text in lengths if text in in_time) / sum(lengths.values())
    goodput = useful_s / (OVERLOAD_S - begin) / scenario.runners
    if goodput < _LEAST_GOODPUT:
        yield Violation("goodput", f"{goodput:.2f} of what runners can do; at least {_LEAST_GOODPUT}")


def length_of(call: Arrival, text: int) -> int:
    """Tokens of one of its texts."""
    return call.lengths[text - call.first_text]
