"""Other forms of the packed graph: query, key and value by one product; pooling by the attention instead of a mask."""

from functools import partial
from typing import Any

import numpy as np
from bench.gpu.lib import engines, models
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.batches.packed import pack
from polyseme.runtime.verification.vectors import cosines


def run(setting: Setting) -> None:
    if setting.kind != "cuda":
        setting.record.note("other forms have no form for a CPU")
        return
    for name, artifact in setting.each():
        with setting.record.attempt(name):
            _compare(setting, name, artifact)


def _compare(setting: Setting, name: str, artifact: Artifact) -> None:
    config = models.config(name, setting.work)
    plain: Any = engines.packed(artifact, setting.device)
    forms: dict[str, Any] = {"three products, mask": lambda batch: plain.run(Variant.EMBED, batch, [NORMALIZED])}
    makers = {"one product": engines.joined, "pooling by attention": engines.attention_pooled}
    for form, make in makers.items():
        with setting.record.attempt(f"{name}, {form}"):
            session = make(artifact, setting.device, config)
            forms[form] = lambda batch, session=session: session.run(batch, [NORMALIZED])
    total = 2048 if setting.is_quick else 32_768
    for length in (512, 128, 32, 16):
        batch = pack(random_ids(artifact, [length] * (total // length)))
        want = forms["three products, mask"](batch)[0]
        row: dict[str, float] = {}
        for form, once in forms.items():
            with setting.record.attempt(f"{name}, {form}, texts of {length}"):
                (got,) = once(batch)
                row[form] = timed(partial(once, batch), seconds=setting.seconds)[0] * 1e3
                row[f"least cosine, {form}"] = float(np.min(cosines(got, want)))
        shown = {key: value for key, value in row.items() if key != "least cosine, three products, mask"}
        setting.record.add(f"ms of {total} tokens by form, {name}", length=length, **shown)
