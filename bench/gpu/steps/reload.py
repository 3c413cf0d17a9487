"""Models are loaded, captured and closed beside one that runs: whether a batch fails, and how long one waits."""

import threading
from collections import Counter
from time import perf_counter
from typing import Any

from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.engines.registry import make_engine

_LOADS, _CALLERS = 4, 3


def run(setting: Setting) -> None:
    first = setting.artifact(setting.names[0])
    second = setting.artifact(setting.names[-1])
    engine: Any = make_engine(first, [setting.device])
    batches = [engine.collate(random_ids(first, lengths)) for lengths in ([3], [20, 20], [200] * 12, [250] * 9)]
    outcomes: Counter[str] = Counter()
    waits: list[float] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            for batch in batches:
                begin = perf_counter()
                try:
                    engine.run(Variant.EMBED, batch, [NORMALIZED])
                    outcomes["done"] += 1
                except Exception as error:
                    outcomes[str(error)[:120]] += 1
                waits.append(perf_counter() - begin)

    callers = [threading.Thread(target=call) for _ in range(_CALLERS)]
    for caller in callers:
        caller.start()
    loads = []
    try:
        for number in range(_LOADS):
            begin = perf_counter()
            with setting.record.attempt(f"load {number}"):
                make_engine((first, second)[number % 2], [setting.device]).close()
                loads.append(perf_counter() - begin)
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    waits.sort()
    setting.record.add(
        "reload under load",
        loads=f"{len(loads)} of {_LOADS}",
        slowest_load_s=max(loads, default=None),
        batches=sum(outcomes.values()),
        failed=sum(outcomes.values()) - outcomes["done"],
        p50_ms=waits[len(waits) // 2] * 1e3,
        slowest_ms=waits[-1] * 1e3,
    )
    for outcome, times in outcomes.items():
        if outcome != "done":
            setting.record.note(f"{times} x {outcome}")
