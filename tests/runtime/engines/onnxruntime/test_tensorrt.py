"""What TensorRT is told, and when it is not there."""

from pathlib import Path

import pytest
from tests.export.encoders.architectures.test_families import checkpoint
from tests.export.encoders.architectures.test_heads import checkpoint as headed_checkpoint

from polyseme.artifact import Artifact, Precision
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import TENSORRT
from polyseme.runtime.engines.onnxruntime.tensorrt import MOST_TEXTS, provider_options
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.errors import RuntimeUnavailableError

ON_TENSORRT = Device(execution_provider=TENSORRT, precision=Precision.FP16, number=1)


@pytest.fixture(scope="module")
def artifact(tiny_checkpoint, tmp_path_factory):
    target = tmp_path_factory.mktemp("tensorrt") / "tiny"
    return export_model(str(tiny_checkpoint), target, ExportOptions(tensorrt=True))


def test_engines_take_every_batch_that_a_server_makes(artifact):
    options = provider_options(artifact, ON_TENSORRT, None)
    assert (options["device_id"], options["trt_fp16_enable"]) == ("1", "1")
    assert options["trt_profile_min_shapes"] == "input_ids:1x1,lengths:1"
    assert options["trt_profile_opt_shapes"] == "input_ids:16x128,lengths:16"
    assert options["trt_profile_max_shapes"] == f"input_ids:{MOST_TEXTS}x128,lengths:{MOST_TEXTS}"
    assert "trt_engine_cache_enable" not in options


def test_engines_take_the_positions_of_models_that_count_from_ids(tmp_path):
    artifact = export_model(str(checkpoint("roberta", tmp_path)), tmp_path / "out", ExportOptions(tensorrt=True))
    options = provider_options(artifact, ON_TENSORRT, None)
    assert options["trt_profile_min_shapes"] == "input_ids:1x1,position_ids:1x1,lengths:1"
    assert options["trt_profile_max_shapes"] == "input_ids:64x160,position_ids:64x160,lengths:64"


def test_engines_take_the_positions_of_models_that_tell_a_second_text(tmp_path):
    source = headed_checkpoint("bert-classification", tmp_path)
    artifact = export_model(str(source), tmp_path / "out", ExportOptions(tensorrt=True))
    assert artifact.manifest.model.encoder.token_types == 2
    assert artifact.manifest.parity["fp32 standard"]["pooled_abs"] < 1e-6
    options = provider_options(artifact, ON_TENSORRT, None)
    assert options["trt_profile_min_shapes"] == "input_ids:1x1,position_ids:1x1,lengths:1"


def test_models_never_get_the_engines_of_others(artifact, tiny_artifact):
    """By onnxruntime's names they would: two models of one structure are the same to it."""
    one, other = (
        provider_options(each, ON_TENSORRT, Path("/cache")) for each in (artifact, Artifact.open(tiny_artifact))
    )
    assert one["trt_engine_cache_enable"] == "1"
    assert one["trt_engine_cache_path"] == f"/cache/{artifact.manifest.version}"
    assert one["trt_engine_cache_path"] != other["trt_engine_cache_path"]


def test_an_artifact_without_its_graph_is_refused(tiny_artifact):
    with pytest.raises(RuntimeUnavailableError, match="device tensorrt: tiny has no graph for it: polyseme export --t"):
        make_engine(Artifact.open(tiny_artifact), [ON_TENSORRT])


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_where_it_cannot_start_nothing_runs_elsewhere(artifact):
    with pytest.raises(RuntimeUnavailableError, match="cannot start TensorrtExecutionProvider: its libraries cannot"):
        make_engine(artifact, [ON_TENSORRT])
