"""What has no packed graph: its attention is CUTLASS's, which takes any shape, and not cuDNN's, which plans each.

Each is proven by its own probe, as on a real GPU: kernels are computed here.
"""

import pytest
from tests.cuda.test_values import two_heads
from tests.export.checkpoints import change_json
from tests.export.encoders.architectures.test_families import checkpoint

from polyseme.artifact import Artifact, Precision
from polyseme.export import ExportOptions, export_model

pytestmark = pytest.mark.cuda


@pytest.fixture
def padded_alone(tmp_path):
    """Global layers and windows. Heads are 8 wide, the least of fused attentions.

    Max pooling has cuDNN's maximum, which the fake one lacks.
    """
    source = checkpoint("modernbert", tmp_path)
    change_json(source / "config.json", num_attention_heads=2)
    export_model(str(source), tmp_path / "out", ExportOptions(name="tiny"))
    return tmp_path / "out"


@pytest.fixture
def narrow_heads(tmp_path):
    """Heads 4 wide, in a model that has packed graphs."""
    export_model(str(checkpoint("roberta", tmp_path)), tmp_path / "out", ExportOptions(name="tiny"))
    return tmp_path / "out"


def test_padded_attention_is_cutlass_and_never_cudnn(loaded, padded_alone):
    assert_cutlass(loaded("cuda", artifact=padded_alone, cudnn=True, computing=True))


def test_biased_scores_are_cutlass_s_before_ampere_too(loaded, tmp_path):
    artifact = two_heads("mpnet", tmp_path).directory
    assert_cutlass(loaded("cuda", architecture=75, artifact=artifact, cudnn=True, computing=True))


def assert_cutlass(got):
    assert (got.get("refused"), got.get("engine"), got.get("wrong")) == (None, "PaddedEngine", [])
    assert got["attention"] == ["EFFICIENT_ATTENTION"]
    assert any("AttentionKernel<cutlass::half_t" in name for name in got["kernels"])


def test_heads_that_flash_attention_does_not_take_are_run_padded(loaded, narrow_heads):
    """In a packed graph their kernels read where each token lies, which no packed batch says."""
    assert Artifact.open(narrow_heads).manifest.precisions[Precision.FP16].packed
    got = loaded("cuda", artifact=narrow_heads, cudnn=True, computing=True)
    assert (got.get("refused"), got.get("engine"), got.get("wrong")) == (None, "PaddedEngine", [])
    assert got["attention"] == ["MATH"]


@pytest.mark.parametrize("name", ["mpnet", "modernbert", "roberta"])
def test_fp32_is_not_cut_to_tf32(loaded, name, tmp_path):
    options = ExportOptions(name="tiny", precisions=(Precision.FP32,))
    export_model(str(checkpoint(name, tmp_path)), tmp_path / "out", options)
    got = loaded("cuda", artifact=tmp_path / "out", cudnn=True, computing=True)
    assert (got.get("refused"), got.get("engine"), got.get("wrong")) == (None, "PaddedEngine", [])
    assert got["tf32"] == 0


def test_turing_has_the_values_of_padded_graphs(loaded, tiny_artifact):
    got = loaded("cuda", architecture=75, artifact=tiny_artifact, cudnn=True, computing=True)
    assert (got.get("refused"), got.get("engine"), got.get("wrong")) == (None, "PaddedEngine", [])
