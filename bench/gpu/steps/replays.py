"""Whether a replay follows its inputs, whatever ran in between; and the memory that captured shapes take."""

from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from bench.gpu.lib import engines
from bench.gpu.lib.device_memory import settled_mib, used_mib
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED


def run(setting: Setting) -> None:
    for name, artifact in setting.each():
        with setting.record.attempt(f"memory of {name}"):
            _memory(setting, name, artifact)
        with setting.record.attempt(f"replays of {name}"):
            _follow(setting, name, artifact)


def _follow(setting: Setting, name: str, artifact: Artifact) -> None:
    """Each bucket with two contents in turn, and large batches in between; the eager engine beside it."""
    eager: Any = engines.engine("packed", artifact, setting.device)
    replayed: Any = engines.engine("replayed", artifact, setting.device)
    large = replayed.collate(random_ids(artifact, [300] * 8))
    for tokens in engines.buckets():
        lengths = [tokens] if tokens < 64 else [tokens // 4] * 4
        contents = [random_ids(artifact, lengths, seed) for seed in (1, 2)]
        seen = []
        for turn in range(6):
            (vectors,) = replayed.run(Variant.EMBED, replayed.collate(contents[turn % 2]), [NORMALIZED])
            seen.append(vectors)
            replayed.run(Variant.EMBED, large, [NORMALIZED])
        want = [eager.run(Variant.EMBED, eager.collate(texts), [NORMALIZED])[0] for texts in contents]
        setting.record.add(
            "replays",
            model=name,
            tokens=tokens,
            follows=all(not np.array_equal(a, b) for a, b in pairwise(seen)),
            repeats=all(np.array_equal(seen[i], seen[i + 2]) for i in range(4)),
            from_eager=max(float(np.abs(seen[i] - want[i]).max()) for i in (0, 1)),
        )
    eager.close()
    replayed.close()


def _memory(setting: Setting, name: str, artifact: Artifact) -> None:
    """Of engines with ever more buckets."""
    for count in (0, 1, len(engines.buckets())):
        before, begin = settled_mib(), perf_counter()
        engine: Any = engines.packed(artifact, setting.device, buckets=engines.buckets()[:count])
        setting.record.add("memory", model=name, buckets=count, MiB=used_mib() - before, load_s=perf_counter() - begin)
        engine.close()
