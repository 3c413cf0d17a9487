"""The whole server over loopback, beside the engine alone on the same texts."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.gpu import gpu_engines as engines
from bench.lib.server import server
from bench.lib.texts import public_domain_words

from polyseme.artifact import TOKENIZER, Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.client import AsyncClient
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate


def texts(count: int) -> list[str]:
    """3 to 60 words each."""
    words, draw = public_domain_words(), random.Random(5)
    starts = [(draw.randrange(len(words) - 60), draw.randint(3, 60)) for _ in range(count)]
    return [" ".join(words[start : start + length]) for start, length in starts]


def measure(artifact: Path, kind: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Rows of calls a second, texts a second and latencies; the engine's first."""
    sample = texts(2048)
    alone = _engine(artifact, kind, sample, seconds)
    yield {"what": "engine alone, batches of 256", "texts/s": alone}
    with server(artifact, "--device", kind, "--max-queue-tokens", str(1 << 22)) as target:
        for size, callers in ((1, 1), (1, 64), (1, 512), (32, 1), (32, 16), (32, 64)):
            rate, p50, p99 = asyncio.run(_calls(target, sample, size, callers, seconds))
            yield {
                "what": f"{size} text(s) a call, {callers} callers",
                "texts/s": rate * size,
                "calls/s": rate,
                "p50 ms": p50 * 1e3,
                "p99 ms": p99 * 1e3,
                "of engine": rate * size / alone,
            }
        rate = asyncio.run(_stream(target, sample, seconds))
        yield {"what": "one stream", "texts/s": rate, "of engine": rate / alone}


def _engine(path: Path, kind: str, sample: list[str], seconds: float) -> float:
    """Texts a second, tokenizing left out, in batches as the server makes them under load."""
    artifact = Artifact.open(path)
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=artifact.manifest.model.encoder.vocab_size)
    options = EncodeOptions(limit=artifact.manifest.model.max_tokens, truncate=Truncate.END)
    ids = [text.ids for text in tokenizer.encode(sample, options)]
    engine = engines.packed(artifact, engines.device(kind), buckets=engines.buckets() if kind == "cuda" else ())
    batches = [ids[i : i + 256] for i in range(0, len(ids), 256)]
    done, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + seconds:
        batch = batches[done // 256 % len(batches)]
        engine.run(Variant.EMBED, engine.collate(batch), [NORMALIZED])
        done += 256
    return done / (time.perf_counter() - begin)


async def _calls(target: str, sample: list[str], size: int, callers: int, seconds: float) -> tuple[float, float, float]:
    latencies: list[float] = []
    async with AsyncClient(target) as client:
        end = time.perf_counter() + seconds

        async def caller(number: int) -> None:
            at = number * 37
            while time.perf_counter() < end:
                chosen = [sample[(at + i) % len(sample)] for i in range(size)]
                begin = time.perf_counter()
                await client.embed(chosen)
                latencies.append(time.perf_counter() - begin)
                at += size

        begin = time.perf_counter()
        await asyncio.gather(*(caller(number) for number in range(callers)))
        took = time.perf_counter() - begin
    latencies.sort()
    return len(latencies) / took, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]


async def _stream(target: str, sample: list[str], seconds: float) -> float:
    done, begin = 0, time.perf_counter()
    async with AsyncClient(target) as client:

        def source() -> Iterator[str]:
            while time.perf_counter() < begin + seconds:
                yield from sample[:256]

        async for _ in client.embed_stream(source()):
            done += 1
    return done / (time.perf_counter() - begin)
