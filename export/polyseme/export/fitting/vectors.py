"""One pass of an artifact's encoder over texts: vectors of every layer, pooled in two ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import TOKENIZER, Artifact, Pooling
from polyseme.export.fitting.texts import FitError
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import choose_device
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.tasks.layers import LayerMix, LayerVectors
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

Float32Array = npt.NDArray[np.float32]
POOLINGS: Final = (Pooling.CLS, Pooling.MEAN)
MOST_BYTES: Final = 8 << 30
_PORTION: Final = 1_000  # texts that are tokenized together


def vectors_of(
    artifact: Artifact, texts: Sequence[str], progress: Callable[[int], None] = lambda _: None
) -> Float32Array:
    """Embed texts in all layers; a text that is too long is cut at its end.

    Args:
        artifact: whose encoder runs, on this machine's CPU.
        texts: N of them.
        progress: is told how many more texts are done.

    Returns:
        [L + 1, P, N, H]: layers 0..L, poolings in the order of `POOLINGS`.

    Raises:
        FitError: the vectors would not fit: got, limit; or a text has no token.
        RuntimeUnavailableError: a graph cannot be loaded.
    """
    encoder = artifact.manifest.model.encoder
    layers = encoder.num_hidden_layers + 1
    refuse_too_many(artifact, len(texts), len(POOLINGS), "rows")
    ids = _token_ids(artifact, texts)
    vectors = np.empty((layers, len(POOLINGS), len(texts), encoder.hidden_size), dtype=np.float32)

    def keep(row: int, share: Float32Array) -> None:
        vectors[:, :, row] = share

    run_all_layers(artifact, ids, lambda row, mix: _task(len(ids[row]), mix, encoder.hidden_size), keep, progress)
    return vectors


def refuse_too_many(artifact: Artifact, count: int, vectors: int, unit: str) -> None:
    """Refuse what would not fit, before anything is run.

    Args:
        artifact: whose vectors of all layers are kept.
        count: rows or tokens.
        vectors: of each in each layer.
        unit: what is counted.

    Raises:
        FitError: got, limit.
    """
    encoder = artifact.manifest.model.encoder
    most = MOST_BYTES // ((encoder.num_hidden_layers + 1) * vectors * encoder.hidden_size * 4)
    if count > most:
        raise FitError(
            f"{count} {unit}; limit {most} with this model, whose vectors of all layers fill {MOST_BYTES >> 30} GiB"
        )


def run_all_layers(
    artifact: Artifact,
    ids: Sequence[npt.NDArray[np.int32]],
    task_of: Callable[[int, LayerMix], LayerVectors],
    keep: Callable[[int, Float32Array], None],
    progress: Callable[[int], None],
) -> None:
    """Run texts once, on this machine's CPU, for vectors of every layer.

    Args:
        artifact: whose encoder runs.
        ids: of N texts.
        task_of: makes the task of a text, from its row and the layers.
        keep: takes the row of a text and its vectors, [L + 1, T, H] or [L + 1, K, H]; called on several threads.
        progress: is told how many more texts are done.

    Raises:
        FitError: vectors are not finite.
        RuntimeUnavailableError: a graph cannot be loaded.
    """
    layers = artifact.manifest.model.encoder.num_hidden_layers + 1
    mix = LayerMix(tuple(tuple(np.eye(layers + 1)[layer + 1].tolist()) for layer in range(layers)))
    device: Device = choose_device("cpu", artifact)
    engine = make_engine(artifact, [device])
    try:
        # Texts of one length are run together: nothing is padded.
        with ThreadPoolExecutor() as threads:

            def run(rows: list[int]) -> int:
                tasks = LayerVectors.batch([task_of(row, mix) for row in rows])
                batch = engine.collate([ids[row] for row in rows])
                arrays = engine.run(tasks.graph, batch, tasks.outputs, tasks.selection(batch.starts))
                for row, share in zip(rows, tasks.split(dict(zip(tasks.outputs, arrays, strict=True))), strict=True):
                    if share is None:
                        raise FitError(f"the vectors of row {row + 1} are not finite")
                    keep(row, share.astype(np.float32, copy=False))
                return len(rows)

            for done in threads.map(run, _batches([len(each) for each in ids], engine.traits.batch_tokens)):
                progress(done)
    finally:
        engine.close()


def _token_ids(artifact: Artifact, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
    model = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=model.encoder.vocab_size)
    options = EncodeOptions(limit=model.max_tokens, truncate=Truncate.END)
    ids: list[npt.NDArray[np.int32]] = []
    for start in range(0, len(texts), _PORTION):
        ids += [encoded.ids for encoded in tokenizer.encode(list(texts[start : start + _PORTION]), options)]
    if empty := [row + 1 for row, each in enumerate(ids) if not len(each)]:
        raise FitError(f"{len(empty)} rows have no token, the first is row {empty[0]}")
    return ids


def _task(length: int, mix: LayerMix, hidden_size: int) -> LayerVectors:
    weights = np.zeros((len(POOLINGS), length), dtype=np.float32)
    weights[0, 0] = 1
    weights[1] = 1 / length
    return LayerVectors(mix, hidden_size, np.arange(length, dtype=np.int32), weights)


def _batches(lengths: Sequence[int], most_tokens: int) -> Iterator[list[int]]:
    """Rows of like length, the longest first; a batch has at most so many tokens, padding counted, or one row."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
