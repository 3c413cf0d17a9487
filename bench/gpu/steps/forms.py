"""Other forms of the packed graph: query, key and value by one product; pooling by the attention instead of a mask."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from bench.gpu.lib import engines, models
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Artifact
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.batches.packed import Bucket, pack
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.verification.vectors import cosines

_FORMS = {
    "three products, mask": engines.as_exported,
    "one product": engines.joined,
    "pooling by attention": engines.attention_pooled,
}
_SMALL = ([16], [128], [64] * 8, [32] * 64)  # texts of a batch that is replayed


def run(setting: Setting) -> None:
    if setting.kind != "cuda":
        setting.record.note("other forms have no form for a CPU")
        return
    for name, artifact in setting.each():
        total = 2048 if setting.is_quick else 32_768
        large = [[length] * (total // length) for length in (512, 128, 32, 16)]
        with setting.record.attempt(name):
            _compare(setting, name, artifact, large, f"ms of {total} tokens by form, {name}")
        with setting.record.attempt(f"{name}, replayed"):
            limit = artifact.manifest.model.max_tokens
            buckets = [Bucket.of(sum(lengths), limit) for lengths in _SMALL]
            _compare(setting, name, artifact, _SMALL, f"ms of a replay by form, {name}", buckets)


def _compare(
    setting: Setting,
    name: str,
    artifact: Artifact,
    batches: Sequence[list[int]],
    table: str,
    buckets: Sequence[Bucket] = (),
) -> None:
    """A row for each batch; the least cosine is to the first form."""
    config = models.config(name, setting.work)
    sessions: dict[str, PackedSession] = {}
    for form, make in _FORMS.items():
        with setting.record.attempt(f"{name}, {form}"):
            sessions[form] = make(artifact, setting.device, config, buckets)
    for lengths in batches:
        batch = pack(random_ids(artifact, lengths))
        row: dict[str, float] = {}
        found: dict[str, Any] = {}
        for form, session in sessions.items():
            with setting.record.attempt(f"{name}, {form}, {len(lengths)} x {lengths[0]}"):
                once = partial(session.run, batch, [NORMALIZED])
                (found[form],) = once()
                row[form] = timed(once, seconds=setting.seconds / 2)[0] * 1e3
        first, *others = found
        cosine = {f"least cosine, {form}": float(np.min(cosines(found[form], found[first]))) for form in others}
        setting.record.add(table, texts=len(lengths), length=lengths[0], **row, **cosine)
