"""Embed Parquet on a Ray cluster: a column of texts in, the same rows with a column of vectors out.

Usage: python examples/bulk/on_ray.py IN OUT (--artifact DIR | --target HOST:PORT) [--workers 2] [--checkpoint DIR]

IN is a file or a folder, OUT a folder that is not there yet. With --checkpoint, the same command goes on where a run
ended.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, SaveMode
from ray.data.checkpoint import CheckpointConfig

from polyseme.client import Client, Truncate, UnavailableError


class Embedder:
    """A worker's state: it adds the column `embedding` to batches of rows.

    Args:
        connect: makes the client; by name, for pickle.
        column: name of the column of texts.
        truncate: the end at which texts that are too long are cut; "none": they are refused.
    """

    def __init__(self, connect: Callable[[], Client], column: str = "text", truncate: Truncate = "none") -> None:
        self._connect, self._column, self._truncate = connect, column, truncate
        self._client = connect()
        self._vector = pa.list_(pa.float32(), self._client.model().dimensions)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Give the rows with their vectors. Raise a PolysemeError where that fails, which ends the run."""
        texts = batch[self._column].to_pylist()
        try:
            vectors = self._embed(texts)
        except UnavailableError:  # a server of Client.local that was killed: the next Client.local starts it again
            self._client = self._connect()
            vectors = self._embed(texts)
        return batch.append_column("embedding", pa.array(vectors, self._vector))

    def _embed(self, texts: list[str]) -> list[npt.NDArray[np.float32]]:
        return list(self._client.embed_stream(texts, truncate=self._truncate))


def embed(
    given: str,
    out: str,
    connect: Callable[[], Client],
    *,
    column: str = "text",
    truncate: Truncate = "none",
    workers: int = 2,
    cpus: float = 0,
    rows: int = 4096,
) -> None:
    """Embed the Parquet at `given` into the folder `out`.

    Args:
        given: a file, or a folder of files.
        out: is made; with a checkpoint, it may be there.
        connect: makes a worker's client.
        column: as of `Embedder`.
        truncate: as of `Embedder`.
        workers: actors in the cluster.
        cpus: cores that Ray reserves for each. A run may wait for ever where all leave less than two for other work.
        rows: of a block, which is embedded again where its worker dies.
    """
    ray.data.read_parquet(given).repartition(target_num_rows_per_block=rows).map_batches(
        Embedder,
        fn_constructor_args=(connect, column, truncate),
        compute=ActorPoolStrategy(size=workers),
        num_cpus=cpus,
        batch_format="pyarrow",
    ).write_parquet(out, mode=SaveMode.APPEND if DataContext.get_current().checkpoint_config else SaveMode.ERROR)


def main() -> None:
    """Read the arguments, run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("input", help="a Parquet file, or a folder of them")
    parser.add_argument("output", help="a folder")
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--artifact", help="a directory that every machine has, and serves to its own workers")
    server.add_argument("--target", help="a server that runs, or several: dns:///polyseme:50051")
    parser.add_argument("--column", default="text", help="the column of texts [%(default)s]")
    parser.add_argument(
        "--truncate", choices=("none", "end", "start"), default="none", help="texts too long [%(default)s]"
    )
    parser.add_argument("--workers", type=int, default=2, help="actors in the cluster [%(default)s]")
    parser.add_argument("--cpus", type=float, default=0, help="cores that Ray reserves for a worker [%(default)s]")
    parser.add_argument("--rows", type=int, default=4096, help="embedded again where a worker dies [%(default)s]")
    parser.add_argument("--checkpoint", help="a folder that keeps which rows are written")
    parser.add_argument("--id", default="id", help="for --checkpoint: a column that tells rows apart [%(default)s]")
    args = parser.parse_args()
    connect = partial(Client.local, args.artifact) if args.artifact else partial(Client, args.target)
    if args.checkpoint:
        DataContext.get_current().checkpoint_config = CheckpointConfig(args.id, args.checkpoint)
    embed(
        args.input,
        args.output,
        connect,
        column=args.column,
        truncate=args.truncate,
        workers=args.workers,
        cpus=args.cpus,
        rows=args.rows,
    )


if __name__ == "__main__":
    main()
