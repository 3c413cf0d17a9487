"""Memory of the host that is pinned, for what goes to the GPU and for what comes back, beside memory that is not."""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Artifact, Layout, Variant
from polyseme.artifact.graphs import NORMALIZED, TOKEN_VECTORS
from polyseme.runtime.batches.packed import pack
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.onnxruntime.access import using
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.engines.onnxruntime.padded_session import load_weights

_TOKENS = (256, 4096, 32_768)
_LENGTH = 128
Floats = npt.NDArray[Any]


def run(setting: Setting) -> None:
    if setting.kind != "cuda" or importlib.util.find_spec("torch") is None:
        setting.record.note("no GPU to copy to, or no torch, which gives pinned memory")
        return
    for size in (1 << 12, 1 << 16, 1 << 20, 1 << 24):
        with setting.record.attempt(f"copies of {size} bytes"):
            _copies(setting, size)
    for name, artifact in setting.each():
        with setting.record.attempt(name):
            _runs(setting, name, artifact)


def _copies(setting: Setting, size: int) -> None:
    """Of so many bytes, to the device and back, as onnxruntime makes them."""
    plain, pinned = np.zeros(size, np.uint8), _pinned((size,), np.uint8)
    value = ort.OrtValue.ortvalue_from_numpy(plain, setting.device.kind, setting.device.number)
    times = {
        "to_device": timed(partial(value.update_inplace, plain), seconds=setting.seconds / 4)[0],
        "to_device_pinned": timed(partial(value.update_inplace, pinned), seconds=setting.seconds / 4)[0],
        "to_host": timed(value.numpy, seconds=setting.seconds / 4)[0],
    }
    setting.record.add("us of a copy", bytes=size, **{name: seconds * 1e6 for name, seconds in times.items()})


def _runs(setting: Setting, name: str, artifact: Artifact) -> None:
    """Of the packed graphs, eagerly: outputs in memory that onnxruntime takes, kept by us, and kept and pinned."""
    weights = load_weights(artifact, setting.device, Layout.PACKED)
    layers = artifact.manifest.model.encoder.num_hidden_layers
    for variant, output in ((Variant.EMBED, NORMALIZED), (Variant.LAYERS, TOKEN_VECTORS)):
        session = PackedSession(artifact, setting.device, variant, weights=weights)
        sizes = _TOKENS if variant is Variant.EMBED else _TOKENS[:2]  # all states of 32k tokens are a GiB
        for tokens in sizes[:1] if setting.is_quick else sizes:
            batch = pack(random_ids(artifact, [_LENGTH] * (tokens // _LENGTH)))
            last = every_state(batch, layers) if variant is Variant.LAYERS else None
            (found,) = session.run(batch, [output], last)
            kept = {"kept": np.zeros_like(found), "kept_pinned": _pinned(found.shape, found.dtype)}
            runs: dict[str, Callable[[], object]] = {"new": partial(session.run, batch, [output], last)}
            runs |= {form: partial(_into, session, batch, last, output, into) for form, into in kept.items()}
            row = {form: timed(once, seconds=setting.seconds / 2)[0] * 1e3 for form, once in runs.items()}
            same = all(np.array_equal(into, found) for into in kept.values())
            setting.record.add(
                "ms of a run by where its outputs lie", model=name, output=f"{variant}, {found.nbytes / 2**20:.2g} MiB",
                tokens=tokens, **row, same=same,
            )  # fmt: skip


def _into(session: Any, batch: Any, selection: Any, output: str, into: Floats) -> None:
    """An eager run whose output is written into an array."""
    feeds = batch.feeds() if selection is None else {**batch.feeds(), **selection.feeds()}
    with using(session.device):
        binding = session._session.io_binding()  # noqa: SLF001
        session._bind(binding, session._eager, feeds, batch)  # noqa: SLF001
        binding.bind_output(output, "cpu", 0, into.dtype, into.shape, into.ctypes.data)
        session._session.run_with_iobinding(binding, session._eager_options)  # noqa: SLF001


def _pinned(shape: tuple[int, ...], dtype: Any) -> Floats:
    import torch

    like = torch.from_numpy(np.zeros(0, dtype)).dtype
    array: Floats = torch.empty(shape, dtype=like, pin_memory=torch.cuda.is_available()).numpy()
    return array
