"""The plan for a GPU (bench/gpu), from end to end: no step of it fails for a silly reason."""

import json
import os
import subprocess
import sys

import pytest
from tests.cuda.conftest import ROOT

pytestmark = pytest.mark.cuda

STEPS = [
    "load",
    "numerics",
    "replays",
    "throughput",
    "forms",
    "kernels",
    "eager_or_replayed",
    "reload",
    "padded",
    "pinned",
    "provider_options",
    "tokenizing",
    "served",
]
SHOWS_A_GPU = """
import os
exists = os.path.exists
os.path.exists = lambda path: path == "/dev/nvidiactl" or exists(path)
"""


@pytest.fixture
def rehearse(runtime, tmp_path):
    """Rows and output of some steps."""

    def run(steps, **variables):
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(SHOWS_A_GPU)
        libraries = os.environ["LD_LIBRARY_PATH"]
        done = subprocess.run(
            [sys.executable, "-m", "bench.gpu.first_minutes", "--out", tmp_path / "out", "--work", tmp_path / "work",
             "--models", "tiny", "--quick", "--patience", "20", "--steps", *steps],
            cwd=ROOT, capture_output=True, text=True, check=True,
            env=os.environ | variables | {
                "PYTHONPATH": str(tmp_path / "site"),
                "LD_LIBRARY_PATH": f"{libraries}:{libraries.replace('/cuda/cuda', '/cuda/cudnn')}",
            },
        )  # fmt: skip
        rows = [json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
        assert {row["name"]: row["ended"] for row in rows if row.get("table") == "steps"} == dict.fromkeys(steps, "ok")
        assert "A REHEARSAL over the fake CUDA runtime" in done.stdout
        # The fake cuDNN has no operations: the padded engine of a model that has a packed graph needs one.
        failures = [row for row in rows if "failure" in row and "cudnn" not in row["error"].lower()]
        assert failures == []
        return rows

    return run


def test_every_step_ends_and_says_that_nothing_was_measured(rehearse):
    rows = rehearse(STEPS)
    attention = {row["engine"]: row["attention"] for row in rows if row.get("table") == "load"}
    assert attention["packed"] == "FLASH_ATTENTION"
    replayed = [row["replayed"] for row in rows if row.get("table") == "ms of a batch, tiny"]
    assert len(replayed) == 9


def test_steps_that_judge_values_find_them_right(rehearse):
    """Where kernels are computed: what a GPU says of them later is not a mistake of the steps."""
    rows = rehearse(["numerics", "replays"], FAKE_COMPUTE="1")
    numerics = {row["engine"]: row for row in rows if row.get("table", "").startswith("numerics")}
    assert {"packed", "replayed"} <= set(numerics)
    for row in (numerics["packed"], numerics["replayed"]):
        assert min(row["texts"], row["alone_and_in_company"]) > 0.999995
        assert row["tokens"] > 0.9999
    replays = [row for row in rows if row.get("table") == "replays"]
    assert len(replays) == 8
    for row in replays:
        assert row["follows"]
        assert row["repeats"]
        assert row["from_eager"] < 2e-3
