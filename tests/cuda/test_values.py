"""Values: kernels computed on the host, from the arguments of their launches, against an export's float64 reference.

Shown is that inputs lie where kernels read them, that offsets, captures and replays are right, and that each number
goes where it should; not how a device rounds.
"""

import shutil
import threading

import numpy as np
import pytest
from tests.cuda.fake import REPLAYS, wrong
from tests.cuda.texts import texts
from tests.export.checkpoints import change_json, change_weights, make_sentence_transformer
from tests.export.encoders.architectures.test_families import NAMES, checkpoint
from tests.export.gates.test_overflow import enlarge, enlarge_attention
from tests.export.graphs.test_head_nodes import exported, make_layers
from tests.server.running import load_engine, running

from polyseme.artifact import Artifact, Pooling, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, SPAN_VECTORS, TOKEN_VECTORS, half
from polyseme.client import Client
from polyseme.export import ExportOptions, export_model
from polyseme.export.graphs.packed import PACKED_POOLINGS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.onnxruntime.devices import choose_devices
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.onnxruntime.packed_session import _Staging
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.verification.proof import prove

pytestmark = pytest.mark.cuda

EAGER, REPLAYED = (), (1024,)
PACKED = [name for name in NAMES if name != "modernbert"]


@pytest.fixture
def proven(runtime, device):
    """The proof of an artifact, and that each of its kernels was computed."""

    def prove_it(artifact, buckets=REPLAYED):
        engine = PackedEngine(artifact, [device], lanes_per_device=1, buckets=buckets)
        try:
            with runtime.journal() as lines:
                proof = prove(engine, artifact)
        finally:
            engine.close()
        assert wrong(lines) == []
        assert any("cudaGraphLaunch" in line for line in lines) == bool(buckets)
        return proof

    with runtime.computing():
        yield prove_it


@pytest.fixture
def engine(runtime, device, tiny_artifact):
    """The tiny model, on two lanes, and computed."""
    engine = PackedEngine(Artifact.open(tiny_artifact), [device])
    with runtime.computing(), runtime.journal() as lines:
        yield engine
    engine.close()
    assert wrong(lines) == []


def alone(engine, batch, output=NORMALIZED):
    """Vectors of texts, each run by itself."""
    return np.concatenate([engine.run(Variant.EMBED, engine.collate([text]), [output])[0] for text in batch])


@pytest.mark.parametrize("buckets", [EAGER, (16, 128)], ids=["eager", "replayed"])
def test_the_real_model(proven, minilm, buckets):
    proof = proven(minilm, buckets)
    assert proof.pooled_cosine > 0.999998
    assert proof.token_cosine > 0.999995


@pytest.mark.parametrize("buckets", [EAGER, REPLAYED], ids=["eager", "replayed"])
@pytest.mark.parametrize("name", PACKED)
def test_every_architecture(name, proven, tmp_path, buckets):
    """Heads 8 wide, the least that FlashAttention takes."""
    assert proven(two_heads(name, tmp_path), buckets)


def two_heads(name, folder):
    """The tiny artifact of an architecture, with heads 8 wide."""
    source = checkpoint(name, folder)
    change_json(source / "config.json", **{"n_heads" if name == "distilbert" else "num_attention_heads": 2})
    change_weights(source, halve_biases)
    return export_model(str(source), folder / "out", ExportOptions(name="tiny"))


def halve_biases(weights):
    """Those by distance have a column for each head."""
    for name in [name for name in weights if name.endswith("relative_attention_bias.weight")]:
        weights[name] = weights[name][:, :2].copy()


def test_biased_scores_are_cutlass_s(runtime, device, tmp_path):
    """Where the longest text is no multiple of 8 too: else a matrix of scores would be written for each text."""
    artifact = two_heads("mpnet", tmp_path)
    engine = PackedEngine(artifact, [device], lanes_per_device=1, buckets=(64,))
    with runtime.journal() as lines:
        for batch in ([[5] * 7], [[5] * 9, [6] * 3], [[5] * 30] * 3):
            engine.run(Variant.EMBED, engine.collate(batch), [NORMALIZED])
    engine.close()
    launched = [line for line in lines if "attention" in line.lower()]
    assert launched
    assert all("15AttentionKernelIN7cutlass" in line for line in launched)


@pytest.mark.parametrize("pooling", [one for one in Pooling if one in PACKED_POOLINGS])
def test_every_pooling(pooling, proven, tiny_checkpoint, tmp_path):
    source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
    make_sentence_transformer(source, "Transformer", "Pooling", pooling_mode=pooling.value)
    assert proven(exported(source, tmp_path / "out"))


@pytest.mark.parametrize("activation", ["activation.Tanh", "activation.GELU", "activation.ReLU", "activation.Sigmoid"])
def test_dense_layers(activation, proven, tiny_checkpoint, tmp_path):
    source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
    make_layers(source, (32, 16, True, activation), (16, 8, False, "linear.Identity"))
    assert proven(exported(source, tmp_path / "out"))


@pytest.mark.parametrize("change", [enlarge, enlarge_attention])
def test_blocks_in_fp32(change, proven, tiny_checkpoint, tmp_path):
    """What would be infinite in fp16."""
    source = shutil.copytree(tiny_checkpoint, tmp_path / "source")
    change_weights(source, change)
    artifact = export_model(str(source), tmp_path / "out", ExportOptions())
    assert artifact.manifest.precisions[Precision.FP16].fp32_blocks
    assert proven(artifact)


def test_a_server_proves_the_model_before_it_is_ready(runtime, gpu, tiny_artifact):
    """With the artifact's own probe, as on a real GPU; and refuses a device that computes nothing."""
    artifact = Artifact.open(tiny_artifact)
    with runtime.computing():
        client = load_engine(artifact, device="cuda", max_batch_tokens=1024)
        assert client.info.execution_provider == "CUDAExecutionProvider"
        client.release()
    with pytest.raises(RuntimeUnavailableError, match="not equal to the reference"):
        load_engine(artifact, device="cuda")


def test_a_gpu_serves_what_a_cpu_serves(runtime, gpu, tiny_artifact):
    """From texts to replies: texts in batches, spans of words, vectors in float16."""
    lines = ["a bank by the river", "money in the bank", "x", "we sat there until it was dark " * 3] * 5
    bank = (lines[0], "bank"), (lines[1], "bank")
    answers = []
    for device in ("cpu", "cuda"):
        with (
            runtime.computing(),
            running(tiny_artifact, device=device, max_batch_tokens=1024) as server,
            Client(server.target) as client,
        ):
            assert (type(server.model.engine.engine) is PackedEngine) is (device == "cuda")
            vectors = [client.embed(lines, normalize=True, dtype=dtype) for dtype in ("float32", "float16")]
            answers.append((*vectors, client.word_similarity(*bank)))
    (want, _, cosine), (got, in_float16, on_gpu) = answers
    assert (got * want).sum(axis=1).min() > 0.99999
    assert np.abs(in_float16 - got).max() < 1e-3
    assert on_gpu == pytest.approx(cosine, abs=1e-3)


def test_every_gpu_gives_the_same(runtime, gpu, tiny_artifact):
    artifact = Artifact.open(tiny_artifact)
    engine = PackedEngine(artifact, choose_devices("cuda:0,1", artifact), lanes_per_device=1)
    batches = [texts(*[20] * 110), texts(3, 9)]  # eager, replayed
    with runtime.computing():
        for batch in batches:
            first, second = (engine.run(Variant.EMBED, engine.collate(batch), [NORMALIZED])[0] for _ in range(2))
            np.testing.assert_array_equal(first, second)
            np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    engine.close()


def test_a_place_that_is_off_by_one_is_seen(proven, minilm, monkeypatch):
    """Inputs that lie one number further than they are bound."""
    put = _Staging.put
    monkeypatch.setattr(_Staging, "put", lambda self, feeds: {name: at + 4 for name, at in put(self, feeds).items()})
    with pytest.raises(RuntimeUnavailableError, match="not equal to the reference"):
        proven(minilm, EAGER)


def test_texts_do_not_see_each_other(engine):
    """In any order, with any neighbours, eagerly and in replays."""
    lengths = [1, 30, 2, 77, 15, 3, 3, 60, 41, 5]
    batch = [[(first + i) % 70 + 5 for i in range(length)] for first, length in enumerate(lengths)]
    together = engine.run(Variant.EMBED, engine.collate(batch), [NORMALIZED])[0]
    np.testing.assert_allclose(together, alone(engine, batch), atol=2e-3)
    turned = engine.run(Variant.EMBED, engine.collate(batch[::-1]), [NORMALIZED])[0]
    np.testing.assert_array_equal(turned[::-1], together)


def test_replays_give_what_their_own_texts_have(engine, runtime):
    """One bucket, again and again, with other texts: nothing of the run before is left."""
    batches = [[[5 + i] * (1 + i % 7) for i in range(first, first + 3)] for first in (0, 20, 40)]
    want = [alone(engine, batch) for batch in batches]
    replays = runtime.count(REPLAYS)
    for _ in range(2):
        for batch, vectors in zip(batches, want, strict=True):
            got = engine.run(Variant.EMBED, engine.collate(batch), [NORMALIZED])[0]
            np.testing.assert_allclose(got, vectors, atol=2e-3)
    assert runtime.count(REPLAYS) == replays + 6


def test_lanes_do_not_mix_their_batches(engine):
    batches = [texts(*[1 + number % 9] * (1 + number % 5)) for number in range(24)]
    want, got = [alone(engine, batch) for batch in batches], {}

    def run(mine):
        for number in mine:
            got[number] = engine.run(Variant.EMBED, engine.collate(batches[number]), [NORMALIZED])[0]

    threads = [threading.Thread(target=run, args=(range(first, 24, 4),)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, vectors in enumerate(want):
        np.testing.assert_allclose(got[number], vectors, atol=2e-3)


def test_one_text_that_is_not_replayed(engine, device, tiny_artifact):
    """Sums over one row have a kernel of their own."""
    eager = PackedEngine(Artifact.open(tiny_artifact), [device], lanes_per_device=1, buckets=())
    np.testing.assert_allclose(alone(eager, texts(9)), alone(engine, texts(9)), atol=2e-3)
    eager.close()


def test_float16_outputs_are_the_same_vectors(engine):
    for batch in (texts(3, 9), texts(*[90] * 15)):
        wide, narrow = engine.run(Variant.EMBED, engine.collate(batch), [NORMALIZED, half(NORMALIZED)])
        assert narrow.dtype == np.float16
        np.testing.assert_array_equal(narrow, wide.astype(np.float16))


def test_spans_are_means_of_their_own_texts_tokens(engine):
    batch = engine.collate(texts(4, 11, 1))
    tokens, spans = engine.run(Variant.LAYERS, batch, [TOKEN_VECTORS, SPAN_VECTORS], every_state(batch, 2))
    ends = np.cumsum(batch.lengths)
    for text, (end, length) in enumerate(zip(ends, batch.lengths, strict=True)):
        mean = tokens[:, end - length : end].astype(np.float64).mean(axis=1)
        assert np.abs(mean).max() > 0.1
        np.testing.assert_allclose(spans[:, text, 0], mean, atol=1e-6)
