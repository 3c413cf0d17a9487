"""The calls that come in one simulation, drawn from its seed. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from polyseme.server.scheduling import BatchPolicy, Priority

LEAST_CALLS = 200
LONGEST = 128  # tokens of a text
MOST_TEXTS = 8  # of a call
OVERLOAD_S = 10.0
BASE_S, TOKEN_S = 3e-3, 3e-4  # of a run, and of each padded token in it: near MiniLM on a core
MODELS = ("first", "second")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One call.

    Attributes:
        at: when it comes, in seconds.
        caller: whose it is.
        model: the name that it asks for.
        priority: which queue it waits in.
        lengths: tokens of each text.
        first_text: the number of its first text; the others follow.
        parts: in how many submissions its texts are run, one after the other.
        deadline_s: seconds that its caller waits.
        cancel_s: seconds after which its caller goes away.
        waits_for_room: whether a full queue slows it down rather than refuses it.
    """

    at: float
    caller: str
    model: str
    priority: Priority
    lengths: tuple[int, ...]
    first_text: int
    parts: int = 1
    deadline_s: float = math.inf
    cancel_s: float = math.inf
    waits_for_room: bool = False

    @property
    def texts(self) -> range:
        """The numbers of its texts."""
        return range(self.first_text, self.first_text + len(self.lengths))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One simulation.

    Attributes:
        seed: which one.
        arrivals: at least 200, in order of time.
        reloads: when models are looked for again, and whether what is found is damaged.
        policy: of both models.
        runners: that they share.
        max_calls: under way at once.
        express: whether there is an express runner; in virtual time it is a core more.
        overloaded: whether all of the time more comes than can be done, of callers who wait for seconds.
    """

    seed: int
    arrivals: tuple[Arrival, ...]
    reloads: tuple[tuple[float, bool], ...]
    policy: BatchPolicy
    runners: int
    max_calls: int
    express: bool = False
    overloaded: bool = False


def scenario(seed: int) -> Scenario:
    """Draw a simulation; one in sixteen is of a server that is asked for much more than it can do."""
    draw = random.Random(seed)
    return _overload(seed, draw) if seed % 16 == 15 else _scenario(seed, draw)


def _scenario(seed: int, draw: random.Random) -> Scenario:
    arrivals = tuple(sorted(_arrivals(draw), key=lambda arrival: arrival.at))
    last = arrivals[-1].at
    return Scenario(
        seed=seed,
        arrivals=arrivals,
        reloads=tuple(sorted((draw.uniform(0, last), draw.random() < 0.3) for _ in range(draw.randint(1, 3)))),
        policy=BatchPolicy(
            max_batch_tokens=draw.choice((128, 256, 512)),
            max_batch_texts=draw.choice((1, 4, 8)),
            min_fill=draw.choice((0.0, 0.75, 0.9)),
            max_wait_s=draw.choice((0.0, 0.0, 0.004)),
            max_queue_tokens=draw.choice((1000, 4000, 1 << 20)),
            short_for_s=draw.choice((0.0, 0.3, 2.0)),
        ),
        runners=draw.choice((1, 2, 3)),
        max_calls=draw.choice((40, 1 << 20)),
        express=draw.random() < 0.5,
    )


def _overload(seed: int, draw: random.Random) -> Scenario:
    runners, size, times = draw.choice((1, 2, 3)), draw.randint(1, MOST_TEXTS), draw.uniform(2, 6)
    policy = BatchPolicy(max_batch_tokens=256, max_batch_texts=draw.choice((1, 4)), max_queue_tokens=1 << 20)
    rate = times * runners / (size * (BASE_S + 30 * TOKEN_S))  # a text has some 30 tokens
    deadline_s, callers = draw.uniform(1, 3), draw.choice((1, 2, 8, 32))
    arrivals: list[Arrival] = []
    at, text = 0.0, 0
    while at < OVERLOAD_S:
        at += draw.expovariate(rate)
        arrivals.append(
            Arrival(
                at=at,
                caller=f"caller {draw.randrange(callers)}",
                model=MODELS[0],
                priority=Priority(draw.random() < 0.1),
                lengths=tuple(_length(draw) for _ in range(size)),
                first_text=text,
                deadline_s=deadline_s * draw.uniform(0.8, 1.2),
            )
        )
        text += size
    return Scenario(
        seed=seed,
        arrivals=tuple(arrivals),
        reloads=((draw.uniform(0, OVERLOAD_S), draw.random() < 0.3),),
        policy=policy,
        runners=runners,
        max_calls=1 << 20,
        overloaded=True,
    )


def _arrivals(draw: random.Random) -> Iterator[Arrival]:
    """Callers that come now and then, and some that come with much at once."""
    callers, text, seconds = draw.randint(1, 6), 0, draw.uniform(1, 8)
    count = draw.randint(LEAST_CALLS, LEAST_CALLS + 60)
    flood_at, flooder = draw.uniform(0, seconds / 2), draw.randrange(callers)
    hasty = draw.random() < 0.5
    for number in range(count):
        floods = number < count // 3
        caller = flooder if floods else draw.randrange(callers)
        size = 1 if draw.random() < 0.8 else draw.randint(2, MOST_TEXTS)
        lengths = tuple(_length(draw) for _ in range(size))
        yield Arrival(
            at=flood_at + draw.uniform(0, 0.05) if floods else draw.uniform(0, seconds),
            caller=f"caller {caller}",
            model=MODELS[draw.random() < 0.2],
            priority=Priority(draw.random() < 0.3),
            lengths=lengths,
            first_text=text,
            parts=min(size, draw.choice((1, 2, 3))),
            deadline_s=draw.uniform(0.005, 1.5) if hasty and draw.random() < 0.4 else math.inf,
            cancel_s=draw.uniform(0, 0.5) if draw.random() < 0.1 else math.inf,
            waits_for_room=draw.random() < 0.2,
        )
        text += size


def _length(draw: random.Random) -> int:
    return min(LONGEST, 3 + int(draw.lognormvariate(3, 0.9)))
