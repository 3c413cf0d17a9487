"""Embed Parquet on Spark: a column of texts in, the same rows with a column of vectors out.

Usage: spark-submit examples/bulk/on_spark.py IN OUT (--artifact DIR | --target HOST:PORT), or python with pyspark
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, FloatType, StructField, StructType

from polyseme.client import Client, Truncate


def embed(
    batches: Iterator[pa.RecordBatch], connect: Callable[[], Client], column: str, truncate: Truncate
) -> Iterator[pa.RecordBatch]:
    """Add the column `embedding` to the batches of a partition. Raise a PolysemeError where that fails.

    Args:
        batches: rows.
        connect: makes the client.
        column: name of the column of texts.
        truncate: the end at which texts that are too long are cut; "none": they are refused.
    """
    with connect() as client:
        for batch in batches:
            vectors = list(client.embed_stream(batch[column].to_pylist(), truncate=truncate))
            yield batch.append_column("embedding", pa.array(vectors, pa.list_(pa.float32())))


def main() -> None:
    """Read the arguments, run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("input", help="a Parquet file, or a folder of them")
    parser.add_argument("output", help="a folder that is not there yet")
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--artifact", help="a directory that every machine has, and serves to its own tasks")
    server.add_argument("--target", help="a server that runs, or several: dns:///polyseme:50051")
    parser.add_argument("--column", default="text", help="the column of texts [%(default)s]")
    parser.add_argument("--truncate", choices=("none", "end", "start"), default="none", help="texts that are too long")
    parser.add_argument("--partitions", type=int, default=200, help="one is embedded again where its task dies")
    args = parser.parse_args()
    connect = partial(Client.local, args.artifact) if args.artifact else partial(Client, args.target)
    spark = SparkSession.builder.appName("polyseme").getOrCreate()
    rows = spark.read.parquet(args.input).repartition(args.partitions)
    vector = StructField("embedding", ArrayType(FloatType(), containsNull=False))
    schema = StructType([*rows.schema.fields, vector])
    work = partial(embed, connect=connect, column=args.column, truncate=args.truncate)
    rows.mapInArrow(work, schema).write.parquet(args.output)


if __name__ == "__main__":
    main()
