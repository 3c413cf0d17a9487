"""Padded runs by two kernels, the first of a shape and later ones; and the packed engine on texts as they come."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from bench.gpu.lib import engines, models
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, mixed_lengths, random_ids

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.batches.padded import Ids

_SHAPES = ((1, 16), (8, 40), (32, 128), (32, 136), (64, 512))
Run = Callable[[Any], object]


def run(setting: Setting) -> None:
    for name, artifact in setting.each():
        with setting.record.attempt(name):
            _padded(setting, name, artifact)


def _padded(setting: Setting, name: str, artifact: Artifact) -> None:
    plain: Any = engines.engine("padded", artifact, setting.device)
    packed: Any = engines.engine("replayed", artifact, setting.device)
    cutlass = engines.padded_by_cutlass(artifact, setting.device, models.config(name, setting.work))
    by_cudnn = partial(_embed, plain)
    for count, length in _SHAPES[:3] if setting.is_quick else _SHAPES:
        batch = plain.collate(random_ids(artifact, [length] * count))
        row: dict[str, float] = {}
        for kernel, once in (("cutlass", cutlass), ("cudnn", by_cudnn)):
            with setting.record.attempt(f"{name}, {kernel}, {count} x {length}"):
                begin = perf_counter()
                once(batch)
                row[f"{kernel}_first"] = (perf_counter() - begin) * 1e3
                row[kernel] = timed(partial(once, batch), seconds=setting.seconds / 4)[0] * 1e3
        setting.record.add("ms of a padded shape", model=name, texts=count, length=length, **row)
    texts = random_ids(artifact, mixed_lengths(64 if setting.is_quick else 2048))
    plans: dict[str, tuple[Any, Run, list[list[Ids]]]] = {
        "packed, as they come": (packed, partial(_embed, packed), _by_tokens(texts, 32_768)),
        "padded, 32 as they come": (plain, cutlass, [texts[i : i + 32] for i in range(0, len(texts), 32)]),
        "padded, sorted by 1024": (plain, cutlass, _sorted(texts)),
    }
    best = 0.0
    for plan, (engine, once, batches) in plans.items():
        with setting.record.attempt(f"{name}, {plan}"):
            texts_s = rate(engine, once, batches)
            best = best or texts_s
            setting.record.add(
                "a mix of lengths", model=name, plan=plan, texts_s=texts_s, packed_is_faster_by=best / texts_s
            )


def _embed(engine: Any, batch: Any) -> object:
    return engine.run(Variant.EMBED, batch, [NORMALIZED])


def rate(engine: Any, once: Run, batches: list[list[Ids]]) -> float:
    """Texts a second, collating included; the second time round."""
    for batch in batches:
        once(engine.collate(batch))
    begin = perf_counter()
    for batch in batches:
        once(engine.collate(batch))
    return sum(map(len, batches)) / (perf_counter() - begin)


def _sorted(texts: list[Ids]) -> list[list[Ids]]:
    """By length within windows, batches of as many padded tokens as the server takes."""
    ordered = [ids for i in range(0, len(texts), 1024) for ids in sorted(texts[i : i + 1024], key=len)]
    return _split(ordered, lambda batch, ids: (len(batch) + 1) * max(*map(len, batch), len(ids)) <= 32_768)


def _by_tokens(texts: list[Ids], most: int) -> list[list[Ids]]:
    return _split(texts, lambda batch, ids: sum(map(len, batch)) + len(ids) <= most)


def _split(texts: list[Ids], fits: Callable[[list[Ids], Ids], bool]) -> list[list[Ids]]:
    batches: list[list[Ids]] = []
    for ids in texts:
        if batches and fits(batches[-1], ids):
            batches[-1].append(ids)
        else:
            batches.append([ids])
    return batches
