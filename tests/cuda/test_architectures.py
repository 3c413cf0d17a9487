"""GPUs from Turing to Blackwell: which engine each gets, and that its kernels have code for it."""

import pytest

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("architecture", [80, 86, 89, 90, 120])
def test_ampere_and_later_take_the_packed_engine_with_flash_attention(loaded, architecture):
    got = loaded("cuda", architecture)
    assert (got.get("engine"), got["fell_back"], got["wrong"]) == ("PackedEngine", "", [])
    assert any("flash::flash_fwd" in name for name in got["kernels"])


def test_turing_takes_the_padded_engine(loaded):
    """FlashAttention-2 begins with Ampere. The padded attention is a node that opens cuDNN, used or not."""
    got = loaded("cuda", 75, cudnn=True)
    assert (got.get("engine"), got["fell_back"], got["wrong"]) == ("PaddedEngine", "", [])
    assert not any("flash::flash_fwd" in name for name in got["kernels"])


@pytest.mark.parametrize("architecture", [70, 100, 103])
def test_a_gpu_that_the_wheel_has_no_code_for_is_refused_by_name(loaded, architecture):
    capability = f"{architecture // 10}.{architecture % 10}"
    says = f"has no code for NVIDIA H100 of paper (compute capability {capability})"
    assert says in loaded("cuda", architecture)["refused"]
    got = loaded("auto", architecture)
    assert got["provider"] == "CPUExecutionProvider"
    assert says in got["fell_back"]
