"""In which arithmetic products run: fp16 with sums in fp32; fp32 without TF32 where that would lose bits."""

import re
import shutil

import pytest
from tests.cuda.conftest import without_probe
from tests.cuda.texts import texts
from tests.export.checkpoints import change_weights
from tests.export.gates.test_overflow import enlarge, enlarge_attention
from tests.export.graphs.test_head_nodes import make_layers

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine

pytestmark = pytest.mark.cuda

HALF, FLOAT = "2 2 2", "0 0 0"  # cudaDataType of both factors and the product
TF32 = 3  # CUBLAS_TF32_TENSOR_OP_MATH
COMPUTE_16F = 64


@pytest.fixture
def products(runtime, device, tiny_checkpoint, tmp_path):
    """Of a model that is changed before it is exported: (types, compute, math) of each product, by variant."""

    def run(change):
        source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
        change(source)
        export_model(str(source), tmp_path / "probed", ExportOptions(name="tiny"))
        engine = PackedEngine(
            Artifact.open(without_probe(tmp_path / "probed", tmp_path / "tiny")), [device], buckets=()
        )
        batch, found = engine.collate(texts(9, 20)), {}
        for variant, output in ((Variant.EMBED, NORMALIZED), (Variant.LAYERS, SPAN_VECTORS)):
            selection = every_state(batch, 2) if variant is Variant.LAYERS else None
            with runtime.journal() as lines:
                engine.run(variant, batch, [output], selection)
            said = re.findall(r"product m .* types (\d \d \d) compute (\d+) math (\d+)", "\n".join(lines))
            found[variant] = [(types, int(compute), int(math)) for types, compute, math in said]
        engine.close()
        return found

    return run


def wide(products):
    """How many run in fp32 or TF32."""
    return [math & TF32 == TF32 for types, _, math in products if types == FLOAT]


def test_products_of_fp16_are_summed_in_fp32(products):
    for found in products(lambda source: None).values():
        assert sum(types == HALF for types, _, _ in found) == 12
        assert all(compute != COMPUTE_16F for _, compute, _ in found)


def test_a_mask_is_multiplied_in_tf32(products):
    """Ones and elements of fp16: exact."""
    assert wide(products(lambda source: None)[Variant.EMBED]) == [True]


@pytest.mark.parametrize("change", [enlarge, enlarge_attention])
def test_blocks_in_fp32_are_not_tf32_in_either_graph(products, change):
    found = products(lambda source: change_weights(source, change))
    assert [any(wide(found[variant])) for variant in Variant] == [False, False]
    assert min(len(wide(found[variant])) for variant in Variant) >= 2


def test_dense_layers_are_not_tf32(products):
    found = products(lambda source: make_layers(source, (32, 16, True, "activation.Tanh")))
    assert not any(wide(found[Variant.EMBED]))
