"""examples/bulk/on_spark.py on a real Spark, with Java."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integrations.bulk import rows
from tests.server.running import running

pytest.importorskip("pyspark", reason="pip install pyspark pandas brings it, 456 MB")
pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]
EXAMPLE = Path(__file__).parents[3] / "examples/bulk/on_spark.py"


def test_each_row_once(tiny_artifact, tmp_path):
    texts = rows.write(tmp_path / "in.parquet", 400)
    with running(tiny_artifact, runners=1, max_batch_texts=1) as server:
        command = [sys.executable, str(EXAMPLE), str(tmp_path / "in.parquet"), str(tmp_path / "out")]
        done = subprocess.run(
            [*command, "--target", server.target, "--partitions", "4"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        rows.assert_each_once(tmp_path / "out", server.target, texts)
