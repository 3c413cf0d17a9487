"""deploy/build-image.sh where it cannot build: it says what is missing. Where it can, `make image` is its test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/build-image.sh"


@pytest.fixture
def bare(tmp_path):
    """A PATH with the shell's everyday programs and none that builds images."""
    for name in ("bash", "dirname", "realpath", "id", "env", "mkdir"):
        (tmp_path / name).symlink_to(shutil.which(name))
    return tmp_path


def run(path, *arguments, **variables):
    environment = {"PATH": str(path), "PYTHON": sys.executable, "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, timeout=300)


def test_it_names_all_that_is_missing_and_exits_with_3(bare, tmp_path):
    done = run(bare, tmp_path)
    assert done.returncode == 3
    for name in ("buildah", "debootstrap", "unshare", f"an artifact in {tmp_path}"):
        assert name in done.stderr
    assert "SDK" not in done.stderr, "polyseme is installed here"


def test_a_base_that_is_given_needs_no_debootstrap(bare, tmp_path, monkeypatch):
    monkeypatch.setenv("BASE", "python:3.11-slim-bookworm")
    done = subprocess.run(
        [SCRIPT, tmp_path],
        env={**os.environ, "PATH": str(bare), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert "debootstrap" not in done.stderr


def test_the_image_for_gpus_needs_the_fake_runtime_to_be_tried(bare, tmp_path):
    done = run(bare, tmp_path, TARGET="cuda", FAKE=str(tmp_path))
    assert done.returncode == 3
    assert f"the fake CUDA runtime in {tmp_path}" in done.stderr
    assert "fake" not in run(bare, tmp_path, TARGET="cpu", FAKE=str(tmp_path)).stderr


def test_another_target_is_refused(bare, tmp_path):
    done = run(bare, tmp_path, TARGET="rocm")
    assert done.returncode == 3
    assert "TARGET=rocm" in done.stderr
