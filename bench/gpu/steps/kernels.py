"""A run of 32k tokens, and a replay of 128, taken apart: kernels, by torch's profiler; the host's part."""

import importlib.util
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest import mock

from bench.gpu.lib import engines
from bench.gpu.lib.setting import Setting, random_ids

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.engines.onnxruntime import packed_session
from polyseme.runtime.engines.onnxruntime.padded_session import session_options

_RUNS, _SHOWN = 3, 10


def run(setting: Setting) -> None:
    for name, artifact in setting.each():
        for form, tokens in (("packed", 1024 if setting.is_quick else 32_768), ("replayed", 128)):
            with setting.record.attempt(f"kernels of {name}, {form}"):
                _kernels(setting, name, artifact, form, tokens)
        with setting.record.attempt(f"the host's part of {name}"):
            _host(setting, name, artifact)


def _kernels(setting: Setting, name: str, artifact: Artifact, form: str, tokens: int) -> None:
    if importlib.util.find_spec("torch") is None:
        setting.record.note("no torch, whose profiler tells kernels")
        return
    import torch
    from torch.profiler import ProfilerActivity, profile, supported_activities

    if ProfilerActivity.CUDA not in supported_activities():
        setting.record.note("torch's profiler sees no GPU")
        return
    torch.cuda.synchronize()
    engine: Any = engines.engine(form, artifact, setting.device)
    batch = engine.collate(random_ids(artifact, [128] * (tokens // 128)))
    engine.run(Variant.EMBED, batch, [NORMALIZED])
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(_RUNS):
            engine.run(Variant.EMBED, batch, [NORMALIZED])
        torch.cuda.synchronize()
    engine.close()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        times = _by_name(json.loads(path.read_text(encoding="utf-8"))["traceEvents"])
    total = sum(map(sum, times.values()))
    for kernel, found in sorted(times.items(), key=lambda item: -sum(item[1]))[:_SHOWN]:
        setting.record.add(
            f"kernels of {tokens} tokens, {form}, {name}",
            kernel=kernel.replace("void ", "")[:70],
            times=len(found) / _RUNS,
            us=sum(found) / _RUNS,
            share=sum(found) / total,
        )
    count = sum(map(len, times.values())) / _RUNS
    setting.record.note(
        f"{name}, {tokens} tokens, {form}: {total / _RUNS:,.0f} us a run in {count:.0f} kernels, copies and sets, "
        f"{len(times)} kinds"
    )


def _by_name(events: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Microseconds of each kernel and copy on the GPU, whoever began it."""
    times: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset"):
            times[event["name"]].append(event["dur"])
    return times


def _host(setting: Setting, name: str, artifact: Artifact) -> None:
    """What it takes the host to begin each kind of node."""
    plain = session_options
    with tempfile.TemporaryDirectory() as folder:

        def profiled(threads: int) -> Any:
            options = plain(threads)
            options.enable_profiling, options.profile_file_prefix = (
                True,
                f"{folder}/{len(list(Path(folder).iterdir()))}",
            )
            return options

        with mock.patch.object(packed_session, "session_options", profiled):
            engine: Any = engines.packed(artifact, setting.device)
        batch = engine.collate(random_ids(artifact, [128] * (8 if setting.is_quick else 256)))
        for _ in range(_RUNS):
            engine.run(Variant.EMBED, batch, [NORMALIZED])
        session = engine._lanes[0].sessions[Variant.EMBED]._session  # noqa: SLF001
        events = json.loads(Path(session.end_profiling()).read_text())
        engine.close()
    by_operator: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            by_operator[event["args"]["op_name"]].append(event["dur"])
    times = {operator: sum(found) / _RUNS for operator, found in by_operator.items()}
    slowest = sorted(times.items(), key=lambda item: -item[1])[:6]
    text = ", ".join(f"{operator} {len(by_operator[operator]) // _RUNS} x, {us:,.0f} us" for operator, us in slowest)
    setting.record.note(f"{name}, host, {sum(times.values()):,.0f} us a run: {text}")
