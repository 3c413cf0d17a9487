"""What a folder says of pooling and dense layers, against numpy that shares nothing with the graphs."""

import math

import numpy as np
import onnx
import pytest
from tests.export.checkpoints import (
    WEIGHTS,
    change_json,
    change_weights,
    make_dense,
    make_sentence_transformer,
    read_parts,
    write_parts,
)
from tests.packed import cpu_graphs
from tests.runtime.verification.test_selfcheck import reseal
from tests.server.running import running
from tests.states import all_states

from polyseme.artifact import Activation, Artifact, DenseSpec, Layout, Precision
from polyseme.artifact.graphs import NORMALIZED, POOLED
from polyseme.export import ExportOptions, export_model
from polyseme.export.errors import GateError
from polyseme.export.graphs import head_nodes
from polyseme.runtime.batches.packed import Bucket, pack
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.onnxruntime.padded_session import Session, Variant, load_weights
from polyseme.runtime.errors import SelfCheckError
from polyseme.runtime.verification.proof import prove
from polyseme.runtime.verification.selfcheck import self_check
from polyseme.v1 import embedding_service_pb2, model_service_pb2

TEXTS = [[2, 7, 8, 9, 3], [2, *range(5, 40), 3], [2], [2, 40, 3]]
FP32, FP16 = (Device(execution_provider=CPU, precision=precision) for precision in Precision)
POOL = {
    "cls": lambda states: states[0],
    "mean": lambda states: sum(states) / len(states),
    "max": lambda states: np.sort(states, axis=0)[-1],
    "mean_sqrt_len_tokens": lambda states: sum(states) / math.sqrt(len(states)),
    "lasttoken": lambda states: states[len(states) - 1],
}


def exported(checkpoint, directory):
    return export_model(str(checkpoint), directory, ExportOptions(name="tiny", max_tokens=48))


def expected(artifact, device, pooling):
    """[N, H] in float64, from the tokens that the other graph gives."""
    last = all_states(Session(artifact, device, Variant.LAYERS), collate(TEXTS, 0), 2)[-1].astype(np.float64)
    return np.stack([POOL[pooling](states[: len(ids)]) for states, ids in zip(last, TEXTS, strict=True)])


def packed_run(artifact, outputs, buckets=()):
    """What the packed graph gives in its CPU form."""
    weights, cpu_graph = load_weights(artifact, FP16, Layout.PACKED), cpu_graphs(artifact, FP16)[Variant.EMBED]
    return PackedSession(artifact, FP16, Variant.EMBED, weights=weights, cpu_graph=cpu_graph, buckets=buckets).run(
        pack(TEXTS), outputs
    )


def unit(vectors):
    return vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("pooling", POOL)
def test_every_pooling_is_computed_as_its_name_says(checkpoint, tmp_path, pooling):
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", pooling_mode=pooling)
    artifact = exported(checkpoint, tmp_path / "out")
    assert artifact.manifest.model.embedding.pooling.value == pooling
    for device, tolerance in ((FP32, 2e-6), (FP16, 5e-3)):
        want = expected(artifact, device, pooling)
        pooled, normalized = Session(artifact, device).run(collate(TEXTS, 0), [POOLED, NORMALIZED])
        np.testing.assert_allclose(pooled, want, atol=tolerance)
        np.testing.assert_allclose(normalized, unit(want), atol=tolerance)
    assert self_check(artifact)
    packed = artifact.manifest.precisions[Precision.FP16].packed
    assert (packed is None) == (pooling == "max"), "a maximum within each text has no packed form"
    if packed:
        for buckets in ((), [Bucket.of(64, 128)]):  # also behind texts without a token, which fill a bucket
            pooled, normalized = packed_run(artifact, [POOLED, NORMALIZED], buckets)
            np.testing.assert_allclose(pooled, want, atol=2e-2)
            np.testing.assert_allclose(normalized, unit(want), atol=5e-3)


ACTIVATE = {
    "activation.Tanh": lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    "linear.Identity": lambda x: x,
    "activation.GELU": np.vectorize(lambda x: x / 2 * math.erfc(-x / math.sqrt(2))),
    "activation.ReLU": lambda x: np.where(x > 0, x, 0),
    "activation.Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def make_layers(checkpoint, *layers, pooling="mean"):
    """Dense modules of random weights, each of (in, out, bias, activation); gives what computes them in float64."""
    rng = np.random.default_rng(len(layers))
    kinds = ["Transformer", "Pooling", *["Dense"] * len(layers), "Normalize"]
    make_sentence_transformer(checkpoint, *kinds, pooling_mode=pooling)
    parts = []
    for place, (size_in, size_out, has_bias, activation) in enumerate(layers, start=2):
        weight = rng.normal(0, size_in**-0.5, (size_out, size_in)).astype("<f4")
        bias = rng.normal(0, 0.1, size_out).astype("<f4") if has_bias else None
        make_dense(checkpoint / f"{place}_Dense", weight, bias, activation)
        parts.append((weight.astype(np.float64), 0 if bias is None else bias, ACTIVATE[activation]))

    def compute(vectors):
        for weight, bias, activate in parts:
            vectors = activate(np.einsum("oi,ni->no", weight, vectors) + bias)
        return vectors

    return compute


LAYERS = {
    **{name: [(32, 16, True, name)] for name in ACTIVATE},
    "without bias": [(32, 48, False, "activation.Tanh")],
    "nothing but a product": [(32, 48, False, "linear.Identity")],
    "several": [(32, 8, True, "activation.GELU"), (8, 40, False, "linear.Identity"), (40, 24, True, "activation.Tanh")],
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_dense_layers_are_computed_in_both_layouts(checkpoint, tmp_path, layers):
    compute = make_layers(checkpoint, *layers, pooling="cls")
    artifact = exported(checkpoint, tmp_path / "out")
    spec, dimensions = artifact.manifest.model, layers[-1][1]
    assert (
        spec.encoder.hidden_size,
        spec.embedding.dimensions,
        spec.embedding.normalizes,
        len(spec.embedding.dense),
    ) == (32, dimensions, True, len(layers))
    for device, tolerance in ((FP32, 2e-6), (FP16, 5e-3)):
        want = compute(expected(artifact, device, "cls"))
        assert want.shape == (len(TEXTS), dimensions)
        pooled, normalized = Session(artifact, device).run(collate(TEXTS, 0), [POOLED, NORMALIZED])
        np.testing.assert_allclose(pooled, want, atol=tolerance)
        np.testing.assert_allclose(normalized, unit(want), atol=tolerance)
    pooled, normalized = packed_run(artifact, [POOLED, NORMALIZED])
    np.testing.assert_allclose(pooled, want, atol=2e-2)
    np.testing.assert_allclose(normalized, unit(want), atol=5e-3)
    assert self_check(artifact)
    assert prove(PaddedEngine(artifact, FP16), artifact)


def sentence(checkpoint, *kinds, **config):
    make_sentence_transformer(checkpoint, "Transformer", "Pooling", *kinds, pooling_mode="mean")
    change_json(checkpoint / "config_sentence_transformers.json", **config)


@pytest.mark.parametrize("kinds", [(), ("Normalize",)])
def test_vectors_are_cut_as_sentence_transformers_cuts_them(checkpoint, tmp_path, kinds):
    """Behind Normalize, whose vectors a cut makes shorter; in every graph that there is."""
    sentence(checkpoint, *kinds, truncate_dim=8)
    artifact = export_model(str(checkpoint), tmp_path / "out", ExportOptions(max_tokens=48, tensorrt=True))
    whole = expected(artifact, FP32, "mean")
    want = (unit(whole) if kinds else whole)[:, :8]
    pooled, normalized = Session(artifact, FP32).run(collate(TEXTS, 0), [POOLED, NORMALIZED])
    np.testing.assert_allclose(pooled, want, atol=2e-6)
    np.testing.assert_allclose(normalized, unit(want), atol=2e-6)
    (packed,) = packed_run(artifact, [POOLED])
    np.testing.assert_allclose(packed, want, atol=5e-3)
    assert self_check(artifact)
    assert (artifact.manifest.model.embedding.dimensions, artifact.manifest.model.embedding.normalizes) == (8, False)


def test_vectors_are_not_cut_where_all_dimensions_are_asked_for(checkpoint, tmp_path):
    sentence(checkpoint, "Normalize", truncate_dim=8, similarity_fn_name="dot")
    spec = export_model(str(checkpoint), tmp_path / "out", ExportOptions(dimensions="all")).manifest.model
    assert (spec.embedding.dimensions, spec.embedding.normalizes, spec.embedding.matryoshka_dims) == (32, True, (8,))
    assert Artifact.open(tmp_path / "out").manifest.model.embedding.similarity == "dot"


def test_zeros_of_a_head_that_cuts_off_at_zero_stay_zeros(checkpoint, tmp_path):
    make_layers(checkpoint, (32, 16, True, "activation.ReLU"))
    change_weights(checkpoint / "2_Dense", lambda weights: weights.update({"linear.bias": np.full(16, -50.0)}))
    artifact = exported(checkpoint, tmp_path / "out")
    pooled, normalized = Session(artifact, FP32).run(collate(TEXTS, 0), [POOLED, NORMALIZED])
    assert (np.abs(pooled).max(), np.abs(normalized).max()) == (0, 0)
    assert np.abs(packed_run(artifact, [NORMALIZED])[0]).max() == 0
    assert self_check(artifact)
    assert prove(PaddedEngine(artifact, FP16), artifact).pooled_cosine == 1


@pytest.fixture
def artifact(checkpoint, tmp_path):
    """Of one dense layer, and lengths to cut to."""
    make_layers(checkpoint, (32, 16, True, "activation.Tanh"))
    change_json(checkpoint / "config_sentence_transformers.json", matryoshka_dims=[16, 4, 8])
    return exported(checkpoint, tmp_path / "out")


def test_the_manifest_tells_of_dense_layers_and_lengths(artifact):
    assert Artifact.open(artifact.directory).manifest == artifact.manifest
    spec = artifact.manifest.model
    assert spec.embedding.dense == (DenseSpec(in_features=32, out_features=16, bias=True, activation=Activation.TANH),)
    assert (spec.embedding.dimensions, spec.embedding.matryoshka_dims) == (16, (4, 8, 16))
    for precision, entry in artifact.manifest.precisions.items():
        for tensors in filter(None, (entry.tensors, entry.packed and entry.packed.tensors)):
            shapes = {one.name: one.shape for one in tensors if one.name.startswith("dense.")}
            assert shapes == {"dense.0.weight": (32, 16), "dense.0.bias": (16,)}, precision


def test_the_source_is_another_one_where_a_dense_layer_is(artifact, checkpoint, tmp_path):
    path = checkpoint / "2_Dense" / WEIGHTS
    fields, data = read_parts(path)
    write_parts(path, fields, bytes([data[0] ^ 1]) + data[1:])
    other = exported(checkpoint, tmp_path / "other").manifest
    assert other.source.sha256 != artifact.manifest.source.sha256
    assert other.version != artifact.manifest.version


@pytest.mark.parametrize("change", [{"activation": "identity"}, {"bias": False}])
def test_the_self_check_finds_another_layer_than_the_manifest_says(artifact, change):
    def lie(document):
        document["model"]["heads"]["embedding"]["dense"][0].update(change)

    with pytest.raises(SelfCheckError, match=r"^fp32: embed and layers graphs differ by"):
        self_check(reseal(artifact.directory, lie))


def test_the_gates_find_a_layer_that_is_not_computed_as_it_should(checkpoint, tmp_path, monkeypatch):
    make_layers(checkpoint, (32, 16, True, "activation.GELU"))
    monkeypatch.setitem(head_nodes._OPERATORS, Activation.GELU, ("FastGelu", head_nodes.CONTRIB))
    with pytest.raises(GateError, match=r"^fp32 is not equal to the reference: pooled_abs is"):
        exported(checkpoint, tmp_path / "out")


def test_vectors_are_served_as_long_as_the_last_layer_gives_them(artifact):
    texts = ["a cat", "the quick brown fox"]
    with running(artifact.directory) as server:
        model = server.models.GetModel(model_service_pb2.GetModelRequest(), timeout=300).model
        assert (model.hidden_size, model.dimensions, model.pooling) == (32, 16, model_service_pb2.POOLING_MEAN)
        whole, cut = (
            server.embedding.Embed(embedding_service_pb2.EmbedRequest(texts=texts, **fields), timeout=300).embeddings
            for fields in ({}, {"dimensions": 8})
        )
    assert (list(whole.shape), list(cut.shape)) == ([2, 16], [2, 8])
    first, second = (np.frombuffer(one.data, "<f4").reshape(one.shape) for one in (whole, cut))
    np.testing.assert_allclose(second, unit(first[:, :8]), atol=1e-6)


@pytest.mark.parametrize("pooling", sorted(set(POOL) - {"max"}))
def test_packed_graphs_have_operators_alone_that_run_on_a_gpu_without_the_host(checkpoint, tmp_path, pooling):
    """Those that onnxruntime's CUDA provider has a kernel for, and none that makes a shape out of values."""
    make_layers(checkpoint, *((32, 32, True, name) for name in ACTIVATE), pooling=pooling)
    artifact = exported(checkpoint, tmp_path / "out")
    name = artifact.manifest.precisions[Precision.FP16].of(Layout.PACKED).graphs[Variant.EMBED]
    used = {node.op_type for node in onnx.load(artifact.path(name), load_external_data=False).graph.node}
    encoder = {"EmbedLayerNormalization", "PackedMultiHeadAttention", "SkipLayerNormalization", "BiasGelu", "Reshape"}
    pooled = {"Cast", "Gather", "Add", "Sub", "Equal", "MatMul", "Mul", "Div", "Sqrt", "ReduceSum"}
    assert used - encoder - pooled == {"Tanh", "Gelu", "Relu", "Sigmoid"}
