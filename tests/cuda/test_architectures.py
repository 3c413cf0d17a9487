"""GPUs from Turing to Blackwell: which engine each gets, and that its kernels have code for it."""

import json
import os
import subprocess
import sys

import pytest
from tests.cuda.conftest import ROOT

pytestmark = pytest.mark.cuda


@pytest.fixture
def loaded(unproven, runtime):
    """What loading the model comes to on a device of an architecture."""

    def load(architecture, wanted, cudnn=False):
        libraries = os.environ["LD_LIBRARY_PATH"]
        if cudnn:
            libraries += ":" + libraries.replace("/cuda/cuda", "/cuda/cudnn")
        done = subprocess.run(
            [sys.executable, "-m", "tests.cuda.load", str(unproven), wanted],
            env=os.environ | {"FAKE_SM": str(architecture), "LD_LIBRARY_PATH": libraries},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return load


@pytest.mark.parametrize("architecture", [80, 86, 89, 90, 120])
def test_ampere_and_later_take_the_packed_engine_with_flash_attention(loaded, architecture):
    got = loaded(architecture, "cuda")
    assert (got.get("engine"), got["fell_back"], got["wrong"]) == ("PackedEngine", "", [])
    assert any("flash::flash_fwd" in name for name in got["kernels"])


def test_turing_takes_the_padded_engine(loaded):
    """FlashAttention-2 begins with Ampere. The padded attention is a node that opens cuDNN, used or not."""
    got = loaded(75, "cuda", cudnn=True)
    assert (got.get("engine"), got["fell_back"], got["wrong"]) == ("PaddedEngine", "", [])
    assert not any("flash::flash_fwd" in name for name in got["kernels"])


@pytest.mark.parametrize("architecture", [70, 100, 103])
def test_a_gpu_that_the_wheel_has_no_code_for_is_refused_by_name(loaded, architecture):
    capability = f"{architecture // 10}.{architecture % 10}"
    says = f"has no code for NVIDIA H100 of paper (compute capability {capability})"
    assert says in loaded(architecture, "cuda")["refused"]
    got = loaded(architecture, "auto")
    assert got["provider"] == "CPUExecutionProvider"
    assert says in got["fell_back"]
