"""torch's sdpa and sentence-transformers in fp16, on the texts of our engines, in turn with them."""

import importlib.util
import json
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

from bench.gpu.lib import engines, peers
from bench.gpu.lib.record import timed
from bench.gpu.lib.setting import REAL, Setting, mixed_lengths, random_ids
from bench.gpu.steps.real_model import token_ids

from polyseme.artifact import TOKENIZER, Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.verification.vectors import cosines

_SHAPES = ((1, 128), (32, 32), (64, 128), (256, 128))
_PORTIONS = 16  # of 32 texts, each tokenized by one core, in a batch


def run(setting: Setting) -> None:
    if importlib.util.find_spec("torch") is None:
        setting.record.note("no torch to compare with")
        return
    kind = peers.device_kind()
    setting.record.note(f"{peers.describe(kind)}")
    size = 512 if setting.is_quick or kind == "cpu" else 8192
    with setting.record.attempt("ceiling"):
        setting.record.note(f"one fp16 product of {size}: {peers.matmul_ceiling(kind, size) / 1e12:.3g} TFLOP/s")
    first = REAL if setting.checkpoint else setting.names[0]
    for name in dict.fromkeys((first, setting.names[-1])):
        source = setting.checkpoint if name == REAL and setting.checkpoint else setting.work / name
        artifact = setting.artifact(name)
        engine: Any = engines.engine("replayed", artifact, setting.device)
        with setting.record.attempt(f"torch, {name}"):
            _torch(setting, name, artifact, engine, source, kind)
        with setting.record.attempt(f"sentence-transformers, {name}"):
            _sentence_transformers(setting, name, artifact, engine, source, kind)
        engine.close()


def _torch(setting: Setting, name: str, artifact: Artifact, engine: Any, source: Path, kind: str) -> None:
    model = peers.torch_model(source, kind)
    for texts, length in _SHAPES[:2] if setting.is_quick else _SHAPES:
        ids = random_ids(artifact, [length] * texts)
        runs: dict[str, Callable[[], Any]] = {"ours": partial(_ours, engine, ids), "torch": partial(model, ids)}
        ms = {peer: timed(once, seconds=setting.seconds)[0] * 1e3 for peer, once in runs.items()}
        cosine = cosines(runs["ours"](), runs["torch"]()).min()
        setting.record.add(f"ms beside torch sdpa, {name}", texts=texts, length=length, **ms, least_cosine=cosine)


def _ours(engine: Any, ids: Any) -> Any:
    return engine.run(Variant.EMBED, engine.collate(ids), [NORMALIZED])[0]


def _sentence_transformers(
    setting: Setting, name: str, artifact: Artifact, engine: Any, source: Path, kind: str
) -> None:
    """A mix of lengths; both tokenize on all cores: ours in threads, as the server does, the other by its library."""
    texts = _texts(artifact, mixed_lengths(64 if setting.is_quick else 2048))
    encode = peers.sentence_transformers(source, kind, artifact.manifest.model.max_tokens)
    ids_of, cores = token_ids(artifact), ThreadPoolExecutor(os.cpu_count())

    def ours() -> Any:
        portions = list(cores.map(ids_of, (texts[begin : begin + 32] for begin in range(0, len(texts), 32))))
        return [
            _ours(engine, list(chain(*portions[begin : begin + _PORTIONS])))
            for begin in range(0, len(portions), _PORTIONS)
        ]

    rates, vectors = {}, {}
    runs: dict[str, Callable[[], Any]] = {
        "ours": ours,
        "batches of 32": partial(encode, texts, 32),
        "batches of 256": partial(encode, texts, 256),
    }
    for label, once in runs.items():
        with mock.patch.dict(os.environ, TOKENIZERS_PARALLELISM="false" if label == "ours" else "true"):
            once()
            begin = perf_counter()
            vectors[label] = once()
            rates[label] = len(texts) / (perf_counter() - begin)
    cores.shutdown()
    least = min(
        cosines(got, vectors["batches of 256"][begin : begin + len(got)]).min()
        for begin, got in zip(range(0, len(texts), 32 * _PORTIONS), vectors["ours"], strict=True)
    )
    for label, texts_s in rates.items():
        setting.record.add(
            "texts/s beside sentence-transformers, tokenizing included", model=name, who=label, texts_s=texts_s,
            ours_is_faster_by=rates["ours"] / texts_s, least_cosine=least,
        )  # fmt: skip


def _texts(artifact: Artifact, lengths: list[int]) -> list[str]:
    """Of so many tokens: words of the vocabulary, each of which is one."""
    vocabulary = json.loads(artifact.path(TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    words = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and word.islower())
    draw = random.Random(7)
    return [" ".join(draw.choices(words, k=max(1, length - 2))) for length in lengths]
