"""Load artifacts: an engine and a text encoder for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.runtime.heads import load_heads
from polyseme.runtime.text.tokenizer import Tokenizer
from polyseme.runtime.verification.selfcheck import dense_layers
from polyseme.server.engine.client import EngineClient
from polyseme.server.models.served import ServedModel
from polyseme.server.models.text_encoder import TextEncoder

LoadEngine: TypeAlias = Callable[[Artifact], EngineClient]

_TOKENIZER_THREADS: Final = (2, 16)  # at least, at most: one interpreter feeds few: bench/results/gpu-host.md


def load_models(artifacts: Sequence[Artifact], load_engine: LoadEngine, tokenizer_threads: int) -> list[ServedModel]:
    """Load all artifacts, or none. Blocks for up to seconds.

    Args:
        artifacts: the artifacts.
        load_engine: makes the engine of an artifact.
        tokenizer_threads: number of tokenizer threads of each model; 0: as many as there are idle cores.

    Raises:
        ArtifactError: a head cannot be used.
        RuntimeUnavailableError: a device or a graph cannot be used.
        TokenizerError: a tokenizer cannot be used.
    """
    models: list[ServedModel] = []
    try:
        for artifact in artifacts:
            models.append(_load(artifact, load_engine, tokenizer_threads))  # noqa: PERF401  to be released on failure
    except BaseException:
        for model in models:
            model.release()
        raise
    return models


def _load(artifact: Artifact, load_engine: LoadEngine, tokenizer_threads: int) -> ServedModel:
    manifest = artifact.manifest
    heads = load_heads(artifact)
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=manifest.model.encoder.vocab_size)
    engine = load_engine(artifact)
    threads = tokenizer_threads or min(max(engine.info.idle_cores, _TOKENIZER_THREADS[0]), _TOKENIZER_THREADS[1])
    return ServedModel(
        manifest=manifest,
        spec=manifest.model,
        version=manifest.version,  # hashes the manifest: once, not in every reply
        encoder=TextEncoder(tokenizer, manifest.model, manifest.name, threads),
        engine=engine,
        dense=[] if manifest.model.embedding.pools_prompt else dense_layers(artifact, engine.info.precision),
        heads=heads,
    )
