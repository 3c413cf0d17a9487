"""Tokens a second by the size of a batch, on one lane and on two."""

import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from bench.gpu.lib import engines, models
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.batches.padded import Ids

_TOKENS = (1024, 8192, 32_768, 65_536)


def run(setting: Setting) -> None:
    for name, artifact in setting.each():
        with setting.record.attempt(name):
            one: Any = engines.packed(artifact, setting.device)
            two: Any = engines.packed(artifact, setting.device, lanes=2)
            for length in (128, 32):
                for tokens in _TOKENS[:1] if setting.is_quick else _TOKENS:
                    with setting.record.attempt(f"{name}, {tokens} in texts of {length}"):
                        _measure(setting, name, random_ids(artifact, [length] * (tokens // length)), one, two)
            one.close()
            two.close()


def _measure(setting: Setting, name: str, texts: list[Ids], one: Any, two: Any) -> None:
    length, tokens = len(texts[0]), sum(map(len, texts))
    batch = one.collate(texts)
    seconds = timed(partial(one.run, Variant.EMBED, batch, [NORMALIZED]), seconds=setting.seconds)[0]
    beside = _beside(partial(two.run, Variant.EMBED, batch, [NORMALIZED]), setting.seconds)
    setting.record.add(
        f"throughput, {name}",
        length=length,
        tokens=tokens,
        ms=seconds * 1e3,
        Mtokens_s=tokens / seconds / 1e6,
        TFLOP_s=tokens / seconds * models.flops_per_token(name, length) / 1e12,
        two_lanes_Mtokens_s=tokens / beside / 1e6,
    )


def _beside(once: Callable[[], object], seconds: float, lanes: int = 2) -> float:
    """Seconds a batch, of as many threads as there are lanes."""
    done = [0] * lanes
    for _ in range(2):
        once()
    end = perf_counter() + max(seconds, 0.2)

    def work(number: int) -> None:
        while perf_counter() < end:
            once()
            done[number] += 1

    threads = [threading.Thread(target=work, args=[number]) for number in range(lanes)]
    begin = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (perf_counter() - begin) / sum(done)
