"""onnxruntime-gpu over the fake CUDA runtime: `make test-cuda` sets the environment in which that is found."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest
from tests.cuda.fake import Runtime
from tests.runtime.verification.test_selfcheck import reseal

from polyseme.artifact import Artifact
from polyseme.runtime.engines.onnxruntime.devices import choose_devices

ROOT = Path(__file__).parents[2]
_DEVICE_MEMORY = 80 << 30


@pytest.fixture(scope="session")
def runtime():
    """The fake runtime; refused is what it was not written for."""
    (pinned,) = re.findall(r"^onnxruntime-gpu==(\S+)", (ROOT / "constraints/cuda.txt").read_text(), re.MULTILINE)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers() or onnxruntime.__version__ != pinned:
        pytest.exit(
            f"tests/cuda is for onnxruntime-gpu {pinned} (constraints/cuda.txt); got onnxruntime "
            f"{onnxruntime.__version__} with {', '.join(onnxruntime.get_available_providers())}: make test-cuda",
            returncode=2,
        )
    try:
        return Runtime()
    except (OSError, AttributeError) as error:
        pytest.exit(f"the fake CUDA runtime is not what is loaded ({error}): make test-cuda", returncode=2)


@pytest.fixture(autouse=True)
def gpu(runtime, monkeypatch):
    """A machine that shows GPUs, which are whole again after each test."""
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/dev/nvidiactl" or exists(path))
    yield runtime
    runtime.break_with(0, after=0)
    runtime.hang(after=0)
    runtime.limit(_DEVICE_MEMORY)


@pytest.fixture(scope="session")
def minilm(minilm_artifact):
    return Artifact.open(minilm_artifact)


@pytest.fixture
def device(gpu, minilm):
    """The first GPU, in fp16."""
    (device,) = choose_devices("cuda", minilm)
    return device


@pytest.fixture(scope="session")
def unproven(tiny_artifact, tmp_path_factory):
    """The tiny artifact without its probe: nothing is computed here that could be compared."""
    return without_probe(tiny_artifact, tmp_path_factory.mktemp("unproven") / "tiny")


@pytest.fixture
def loaded(unproven, runtime):
    """What loading an artifact comes to, in a process of its own: the architecture is one's for life, and cuDNN too."""

    def load(wanted, architecture=90, artifact=unproven, cudnn=False, computing=False):
        libraries = os.environ["LD_LIBRARY_PATH"]
        if cudnn:
            libraries += ":" + libraries.replace("/cuda/cuda", "/cuda/cudnn")
        done = subprocess.run(
            [sys.executable, "-m", "tests.cuda.load", str(artifact), wanted],
            env=os.environ
            | {
                "FAKE_SM": str(architecture),
                "LD_LIBRARY_PATH": libraries,
                "ORT_ENABLE_ATTENTION_KERNEL_DEBUG_INFO": "1",
                **({"FAKE_COMPUTE": "1"} if computing else {}),
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (said,) = (line for line in done.stdout.splitlines() if line.startswith("{"))
        return json.loads(said) | {"attention": sorted(set(re.findall(r"SdpaKernel=(\w+)", done.stdout)))}

    return load


def without_probe(artifact, folder, name=""):
    """A copy, as of a model that was exported without one."""
    shutil.copytree(artifact, folder)

    def change(document):
        del document["files"]["probe.bin"]
        del document["probe"]
        document["name"] = name or document["name"]

    reseal(folder, change)
    (folder / "probe.bin").unlink()
    return folder
