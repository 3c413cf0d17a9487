"""Vectors in DuckDB, as docs/integrations.md puts them there: `make test-databases`."""

import numpy as np
import pytest
from tests.integrations.documented import example
from tests.server.running import running

from polyseme.client import Client

duckdb = pytest.importorskip("duckdb", reason="make test-databases brings it")
pytestmark = [pytest.mark.integrations, pytest.mark.library("duckdb")]
TEXTS = ["We sat on the bank of the river.", "I deposited the check at the bank.", "A cat.", ""]


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact, runners=1) as it:
        yield it


def test_the_example_of_the_page(server, capsys):
    code, expected = example("duckdb")
    exec(code.replace("localhost:50051", server.target), {})
    assert capsys.readouterr().out == expected


def test_vectors_come_back_and_compare_as_the_sdk_has_them(server):
    with Client(server.target) as client, duckdb.connect() as database:
        vectors, cosines = client.embed(TEXTS), client.similarity(TEXTS[0], TEXTS)
        database.execute(f"CREATE TABLE texts (place INTEGER, vector FLOAT[{vectors.shape[1]}])")
        database.executemany("INSERT INTO texts VALUES (?, ?)", list(enumerate(vectors)))
        cosine = f"array_cosine_similarity(vector, ?::FLOAT[{vectors.shape[1]}])"
        query = f"SELECT vector, {cosine} FROM texts ORDER BY place"
        kept, found = zip(*database.execute(query, [vectors[0]]).fetchall(), strict=True)
    assert np.array(kept, np.float32).tobytes() == vectors.tobytes()
    assert found == pytest.approx(cosines.ravel(), abs=1e-5)  # summed in another order
