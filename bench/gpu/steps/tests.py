"""The project's own tests for a GPU, over a random model of MiniLM's size."""

import os
import subprocess
import sys
from pathlib import Path

from bench.gpu.lib.setting import Setting

ROOT = Path(__file__).parents[3]
_TESTS = "tests/runtime/test_gpu.py"
# The project's own options ask for a plugin, and make an error of any library's warning.
_OPTIONS = ("-o", "addopts=--import-mode=importlib", "-o", "filterwarnings=default")
_LEFT_OUT = "not tensorrt and not padded"  # TensorRT builds an engine for minutes, cuDNN a plan for each shape


def run(setting: Setting) -> None:
    artifact = setting.artifact(setting.names[0])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *_OPTIONS, "-m", "gpu", "-k", _LEFT_OUT, "-rfEs", "--tb=short", _TESTS],
        cwd=ROOT, env=os.environ | {"POLYSEME_TEST_MINILM": str(artifact.directory.absolute())},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(done.stdout[-20_000:], done.stderr[-5_000:])
    for line in [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "SKIPPED"))][:8]:
        setting.record.note(line.replace(f"{_TESTS}::", "")[:140])
    setting.record.note(next(iter(done.stdout.splitlines()[::-1]), "pytest said nothing"))
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}: no test ran")
