"""The whole server over loopback, against its engine alone on the same texts; and its CPU time for a call."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.gpu.lib import engines
from bench.gpu.lib.setting import REAL, Setting
from bench.gpu.steps.real_model import token_ids
from bench.lib.closed_loop import closed_loop
from bench.lib.sender import PROGRAM, send
from bench.lib.server import server_process
from bench.lib.texts import public_domain_words

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.client import Client
from polyseme.v1 import embedding_service_pb2

_CALLS = ((1, 1), (1, 64), (32, 16), (32, 64), (256, 8))  # texts of a call, callers
_METHOD = "/polyseme.v1.EmbeddingService/Embed"


def run(setting: Setting) -> None:
    first = REAL if setting.checkpoint else setting.names[0]
    for name in dict.fromkeys((first, setting.names[-1])):
        with setting.record.attempt(name):
            _served(setting, name, setting.artifact(name))


def _served(setting: Setting, name: str, artifact: Artifact) -> None:
    sample, seconds, table = sample_texts(2048), 6 * setting.seconds, f"served over loopback, {name}"
    load = _by_go if PROGRAM.exists() else _by_python
    setting.record.note(f"calls are sent by {'Go' if PROGRAM.exists() else 'Python, for want of ' + PROGRAM.name}")
    alone = _engine(setting, artifact, sample, seconds / 2)
    setting.record.add(table, what="engine alone, 256 texts", texts_s=alone)
    with server_process(artifact.directory, "--device", setting.kind, "--max-queue-tokens", str(1 << 22)) as (
        target,
        pid,
    ):
        for size, callers in _CALLS:
            with setting.record.attempt(f"{name}, {size} x {callers}"):
                requests = requests_of(sample, size, 512)
                load(target, requests, callers, seconds / 4)  # warms up
                before = _cpu_s(pid)
                rate, times = load(target, requests, callers, seconds)
                setting.record.add(
                    table, what=f"{size} x {callers}", texts_s=rate * size, calls_s=rate,
                    p50_ms=times[len(times) // 2] * 1e3, p99_ms=times[int(len(times) * 0.99)] * 1e3,
                    CPU_us_a_call=(_cpu_s(pid) - before) / len(times) * 1e6, of_engine=rate * size / alone,
                )  # fmt: skip
        with setting.record.attempt(f"{name}, stream"):
            rate = _stream(target, sample, seconds)
            setting.record.add(table, what="one stream", texts_s=rate, of_engine=rate / alone)


def _by_go(target: str, requests: list[bytes], callers: int, seconds: float) -> tuple[float, list[float]]:
    """Calls a second, and the seconds of each, ascending."""
    sent = send(target, _METHOD, requests, in_flight=callers, seconds=seconds, warm_up=0.0)
    if sent.failed:
        raise RuntimeError(f"{sent.failed} calls failed: {sent.error}")
    return sent.rate, sent.latencies_s


def _by_python(target: str, requests: list[bytes], callers: int, seconds: float) -> tuple[float, list[float]]:
    """The same; of as many calls as took about so long."""
    rate = closed_loop(target, "Embed", requests[: 4 * callers], callers).rate
    count = max(4 * callers, int(rate * seconds))
    seen = closed_loop(target, "Embed", [requests[i % len(requests)] for i in range(count)], callers)
    return seen.rate, sorted(seen.latencies_s)


def sample_texts(count: int) -> list[str]:
    """3 to 60 words each."""
    words, draw = public_domain_words(), random.Random(5)
    starts = [(draw.randrange(len(words) - 60), draw.randint(3, 60)) for _ in range(count)]
    return [" ".join(words[start : start + length]) for start, length in starts]


def requests_of(sample: list[str], size: int, count: int) -> list[bytes]:
    """Calls of so many texts each."""
    return [
        embedding_service_pb2.EmbedRequest(
            texts=[sample[(call * size + i) % len(sample)] for i in range(size)]
        ).SerializeToString()
        for call in range(count)
    ]


def _engine(setting: Setting, artifact: Artifact, sample: list[str], seconds: float) -> float:
    """Texts a second on one lane, tokenizing left out."""
    ids: list[Any] = token_ids(artifact)(sample)
    engine: Any = engines.engine("replayed", artifact, setting.device)
    batches = [ids[i : i + 256] for i in range(0, len(ids), 256)]
    engine.run(Variant.EMBED, engine.collate(batches[0]), [NORMALIZED])
    done, begin = 0, perf_counter()
    while perf_counter() < begin + seconds:
        engine.run(Variant.EMBED, engine.collate(batches[done % len(batches)]), [NORMALIZED])
        done += 1
    rate = 256 * done / (perf_counter() - begin)
    engine.close()
    return rate


def _stream(target: str, sample: list[str], seconds: float) -> float:
    done, begin = 0, perf_counter()

    def source() -> Iterator[str]:
        while perf_counter() < begin + seconds:
            yield from sample[:256]

    with Client(target) as client:
        for _ in client.embed_stream(source()):
            done += 1
    return done / (perf_counter() - begin)


def _cpu_s(pid: int) -> float:
    """Of the server, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
