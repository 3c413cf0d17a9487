"""Options of the CUDA provider: how its arena grows; fp32 with TF32 and without, by time and value."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any
from unittest import mock

from bench.gpu.lib import engines
from bench.gpu.lib.device_memory import settled_mib, used_mib
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, mixed_lengths, random_ids

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.batches.padded import Ids
from polyseme.runtime.engines.device import CPU, Device
from polyseme.runtime.engines.onnxruntime import packed_session
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.onnxruntime.padded_session import Providers, Session, providers_of
from polyseme.runtime.verification.vectors import cosines

_STRATEGIES = ("kSameAsRequested", "kNextPowerOfTwo")
_SHAPES = ((1, 128), (32, 128), (256, 128))


def run(setting: Setting) -> None:
    if setting.kind != "cuda":
        setting.record.note("a CPU has no such options")
        return
    for name, artifact in setting.each():
        for strategy in _STRATEGIES:
            with setting.record.attempt(f"{name}, {strategy}"):
                _alone(_arena, setting, name, artifact, strategy)
        with setting.record.attempt(f"{name}, fp32"):
            _fp32(setting, name, artifact)


def _alone(measure: Callable[..., None], *args: object) -> None:
    """In a process of its own: what an arena has taken is the process's until it ends."""
    process = multiprocessing.get_context("spawn").Process(target=measure, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"its process ended with {process.exitcode}")


def _named(providers: Providers) -> list[tuple[str, dict[str, str]]]:
    """Those that have options."""
    return [one for one in providers if not isinstance(one, str)]


@contextmanager
def _growing(strategy: str) -> Iterator[None]:
    """While sessions are made whose arena grows so."""
    plain = packed_session._providers  # noqa: SLF001

    def changed(*args: Any, **named: Any) -> Any:
        found = _named(plain(*args, **named))
        return [(kind, {**options, "arena_extend_strategy": strategy}) for kind, options in found]

    with mock.patch.object(packed_session, "_providers", changed):
        yield


def _arena(setting: Setting, name: str, artifact: Artifact, strategy: str) -> None:
    """Two lanes that are given batches of every size, twice: what that leaves taken, and how long it takes."""
    before = settled_mib()  # what CUDA itself takes included
    with _growing(strategy):
        engine: Any = engines.packed(artifact, setting.device, lanes=2)
    loaded = used_mib() - before
    texts = random_ids(artifact, mixed_lengths(64 if setting.is_quick else 2048))
    batches = [engine.collate(batch) for batch in _growing_batches(texts)]
    seconds = []
    for _ in range(2):
        begin = perf_counter()
        for batch in batches:
            for _lane in range(2):
                engine.run(Variant.EMBED, batch, [NORMALIZED])
        seconds.append(perf_counter() - begin)
    setting.record.add(
        "the arena's growth", model=name, strategy=strategy, MiB_loaded=loaded, MiB_then=used_mib() - before,
        first_s=seconds[0], second_s=seconds[1], most_tokens=max(sum(batch.lengths) for batch in batches),
    )  # fmt: skip
    engine.close()


def _growing_batches(texts: list[Ids]) -> list[list[Ids]]:
    """1, 2, 4, ... 1,024 texts, and those that are left."""
    batches, begin, count = [], 0, 1
    while begin < len(texts):
        batches.append(texts[begin : begin + count])
        begin, count = begin + count, min(2 * count, 1024)
    return batches


def _fp32(setting: Setting, name: str, artifact: Artifact) -> None:
    """The padded graph: onnxruntime's default, which is TF32; and without, as it is served."""
    if Precision.FP32 not in artifact.manifest.precisions:
        setting.record.note(f"{name} has no fp32 files")
        return
    where = Device(execution_provider=setting.device.execution_provider, precision=Precision.FP32)
    on_cpu = PaddedEngine(artifact, Device(execution_provider=CPU, precision=Precision.FP32), intra_op_threads=0)
    forms = {}
    for form, flag in (("fp32", "0"), ("TF32", "1")):
        providers: Providers = [(kind, {**options, "use_tf32": flag}) for kind, options in _named(providers_of(where))]
        forms[form] = Session(artifact, where, providers=[*providers, CPU])
    for count, length in _SHAPES[:1] if setting.is_quick else _SHAPES:
        batch = on_cpu.collate(random_ids(artifact, [length] * count))
        row: dict[str, float] = {}
        if count <= 32:
            (want,) = on_cpu.run(Variant.EMBED, batch, [NORMALIZED])
        for form, session in forms.items():
            once = partial(session.run, batch, [NORMALIZED])
            row[f"{form}_ms"] = timed(once, seconds=setting.seconds / 2)[0] * 1e3
            if count <= 32:
                row[f"{form}_least_cosine"] = float(cosines(once()[0], want).min())
        setting.record.add("fp32 on the GPU, padded", model=name, texts=count, length=length, **row)
    on_cpu.close()
