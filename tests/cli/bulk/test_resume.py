"""SIGKILL of the real command, at moments drawn from a seed: what it leaves is gone on with to the same bytes."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from polyseme.client import Client

ROWS = 2000
# Commits come so often that a kill falls into all of their steps.
PROGRAM = "import sys; from polyseme.cli.bulk import run; run.COMMIT_EVERY_S = 0.01; from polyseme.cli.main import main"


def start(server, given, out, *arguments):
    command = [sys.executable, "-c", f"{PROGRAM}; sys.exit(main())", "embed", "--input", str(given), "-o", str(out)]
    command += arguments
    environment = {**os.environ, "POLYSEME_TARGET": server.target}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def rows_kept(out):
    """How many rows the journal speaks of; 0 while there is none."""
    try:
        lines = out.with_name(f"{out.name}.journal").read_text().splitlines()[1:]
        return json.loads(lines[-1])["rows"]
    except (FileNotFoundError, IndexError, ValueError):
        return 0


def kill_after(process, out, rows, delay_s):
    while rows_kept(out) < rows:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()


def texts():
    draw = random.Random(20261123)
    return [f"{number} {' '.join(draw.choices(['bank', 'river', 'of'], k=3))}" for number in range(ROWS)]


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("".join(f"{text}\n" for text in texts()))
    return path


@pytest.mark.parametrize(("name", "kills"), [("out.npy", 3), ("out.jsonl", 1)])
def test_killed_and_gone_on_with_is_the_same_file(name, kills, given, real_server, tmp_path):
    draw, out = random.Random(kills), tmp_path / name
    for part in range(1, kills + 1):
        least = draw.randrange(1, ROWS // (kills + 2)) + rows_kept(out)
        kill_after(start(real_server, given, out), out, least, draw.uniform(0, 0.02))
        assert least <= rows_kept(out) < ROWS, part
    last = start(real_server, given, out)
    assert "going on at row" in last.communicate(timeout=300)[1]
    assert last.returncode == 0
    with Client(real_server.target) as client:
        expected = client.embed(texts())
    if name == "out.npy":
        assert np.array_equal(np.load(out), expected)
    else:
        entries = [json.loads(line) for line in out.read_text().splitlines()]
        assert [(entry["row"], entry["text"]) for entry in entries] == list(enumerate(texts()))
        assert np.array_equal(np.array([entry["embedding"] for entry in entries], np.float32), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", name]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_gzip_with_columns_kept_is_gone_on_with_to_the_same_bytes(name, real_server, tmp_path):
    if name == "out.parquet":
        pytest.importorskip("pyarrow")
    given, whole, killed = tmp_path / "in.tsv.gz", tmp_path / f"whole-{name}", tmp_path / name
    given.write_bytes(
        gzip.compress(("id\ttext\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(texts()))).encode())
    )
    undisturbed = start(real_server, given, whole, "--keep", "id")
    assert (undisturbed.communicate(timeout=300)[0], undisturbed.returncode) == (None, 0)
    kill_after(
        start(real_server, given, killed, "--keep", "id"), killed, random.Random(name).randrange(1, ROWS // 2), 0
    )
    last = start(real_server, given, killed, "--keep", "id")
    assert "going on at row" in last.communicate(timeout=300)[1]
    assert killed.read_bytes() == whole.read_bytes()


def test_ctrl_c_of_a_process_is_one_line_and_130(given, real_server, tmp_path):
    out = tmp_path / "out.npy"
    process = start(real_server, given, out)
    while not rows_kept(out):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=300)[1]
    assert (process.returncode, err) == (
        130,
        f"interrupted; {rows_kept(out):,} rows are kept, the same command goes on\n",
    )
