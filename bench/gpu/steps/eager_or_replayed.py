"""Eager runs against replayed ones of the same batches: up to which size a capture pays."""

from functools import partial
from typing import Any

from bench.gpu.lib import engines
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED

# No more texts than a bucket takes.
_BATCHES = ([16], [128], [64] * 4, [64] * 8, [64] * 16, [32] * 64, [128] * 16, [32] * 128, [128] * 32)


def run(setting: Setting) -> None:
    sizes = sorted({sum(lengths) for lengths in _BATCHES})
    for name, artifact in setting.each():
        with setting.record.attempt(name):
            eager: Any = engines.packed(artifact, setting.device)
            replayed: Any = engines.packed(artifact, setting.device, buckets=sizes)
            for lengths in _BATCHES:
                batch = eager.collate(random_ids(artifact, lengths))
                ms: dict[str, float] = {}
                for form, engine in (("eager", eager), ("replayed", replayed)):
                    with setting.record.attempt(f"{name} {form} {sum(lengths)}"):
                        once = partial(engine.run, Variant.EMBED, batch, [NORMALIZED])
                        median, least, _ = timed(once, seconds=setting.seconds)
                        ms |= {form: median * 1e3, f"{form}_least": least * 1e3}
                setting.record.add(f"ms of a batch, {name}", texts=len(lengths), tokens=sum(lengths), **ms)
