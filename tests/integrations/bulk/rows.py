"""Parquet files that are embedded in bulk: written, read, and compared with what one process gives."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyseme.client import Client


def write(path, count):
    """Rows with an id and a text; no two texts are the same."""
    texts = [f"{number} {'abc def gh'[: number % 10]}" for number in range(count)]
    pq.write_table(pa.table({"id": range(count), "text": texts}), path)
    return texts


def read(folder):
    """Ids as they lie there, and vectors in the order of the ids."""
    table = pq.read_table(folder, columns=["id", "embedding"])
    ids = table["id"].to_pylist()
    vectors = np.array(table["embedding"].to_pylist(), dtype=np.float32)
    return ids, vectors[np.argsort(ids)]


def assert_each_once(folder, target, texts):
    """Every row is there, none twice, with the vectors that one process gets of the same server."""
    ids, vectors = read(folder)
    assert sorted(ids) == list(range(len(texts)))
    with Client(target, timeout=300) as client:
        assert np.array_equal(vectors, client.embed(texts))
