"""Sessions over packed graphs, on the CPU in their CPU form: the host side, and every node but the attention."""

from dataclasses import replace

import numpy as np
import pytest
from tests.packed import cpu_graphs, packed_fp32

from polyseme.artifact import Artifact, Layout, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS, TOKEN_VECTORS, half
from polyseme.runtime.batches.packed import Bucket, pack
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.batches.selection import TokenSelection, every_state, group_spans
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession
from polyseme.runtime.engines.onnxruntime.padded_session import Session, load_weights
from polyseme.runtime.errors import RuntimeUnavailableError

FP32 = Device(execution_provider=CPU, precision=Precision.FP32)
BUCKETS = [Bucket.of(tokens, 128, texts=8) for tokens in (16, 64, 256)]


@pytest.fixture(scope="module")
def artifact(tiny_checkpoint, tiny_artifact, tmp_path_factory):
    return packed_fp32(tiny_checkpoint, tiny_artifact, tmp_path_factory.mktemp("packed") / "tiny")


def bound(artifact, variant=Variant.EMBED, device=FP32, **options):
    weights = load_weights(artifact, device, Layout.PACKED)
    return PackedSession(
        artifact, device, variant, weights=weights, cpu_graph=cpu_graphs(artifact, device)[variant], **options
    )


def mixes(count, longest, seed=5):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield [[2, *rng.integers(5, 80, rng.integers(0, longest)), 3] for _ in range(rng.integers(1, 9))]


@pytest.mark.parametrize("buckets", [[], BUCKETS])
def test_packed_equals_padded_whatever_the_mix(artifact, buckets):
    packed, padded = bound(artifact, buckets=buckets), Session(artifact, FP32)
    for sequences in mixes(60, 100):
        got = packed.run(pack(sequences), [POOLED, NORMALIZED])
        want = padded.run(collate(sequences, 0), [POOLED, NORMALIZED])
        for mine, other in zip(got, want, strict=True):
            assert mine.shape == (len(sequences), 32)
            np.testing.assert_allclose(mine, other, atol=2e-6)


def test_every_state_of_every_token_equals_the_padded_graph(artifact):
    packed, padded = bound(artifact, Variant.LAYERS), Session(artifact, FP32, Variant.LAYERS)
    for sequences in mixes(20, 60):
        batches = pack(sequences), collate(sequences, 0)
        got, want = (
            session.run(batch, [TOKEN_VECTORS, SPAN_VECTORS], every_state(batch, 2))
            for session, batch in zip((packed, padded), batches, strict=True)
        )
        for mine, other in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-5)


def test_the_graph_of_the_artifact_rounds_as_fp16_does(tiny_artifact):
    artifact, device = Artifact.open(tiny_artifact), Device(execution_provider=CPU, precision=Precision.FP16)
    packed, reference = bound(artifact, device=device), Session(artifact, FP32)
    sequences = next(mixes(1, 100))
    (got,), (want,) = (
        packed.run(pack(sequences), [NORMALIZED]),
        reference.run(collate(sequences, 0), [NORMALIZED]),
    )
    assert np.einsum("nd,nd->n", got, want).min() > 0.999995


def test_tokens_are_selected_where_they_lie(artifact):
    session = bound(artifact, Variant.LAYERS)
    batch = pack([[2, 7, 3], [2, 9, 11, 3]])
    (states,) = session.run(batch, [TOKEN_VECTORS], every_state(batch, 2))
    selection = TokenSelection(
        positions=np.array([1, 5], np.int32),
        layer_weights=np.array([[0, 0, 1, 1]], np.float32),
        spans=group_spans([0], [np.array([[0.5, 0.5]], np.float32)]),
    )
    (span,) = session.run(batch, [SPAN_VECTORS], selection)
    np.testing.assert_allclose(span[0, 0, 0], states[2:, [1, 5]].sum(axis=0).mean(axis=0), rtol=1e-5, atol=1e-6)


def test_a_bucket_gives_what_the_batch_gives_alone(artifact):
    prepared, eager = bound(artifact, buckets=BUCKETS), bound(artifact)
    assert [bucket.tokens for bucket in prepared.buckets] == [16, 64, 256]
    for sequences in mixes(40, 30):
        batch = pack(sequences)
        np.testing.assert_allclose(prepared.run(batch, [POOLED]), eager.run(batch, [POOLED]), atol=1e-6)


def test_what_a_run_gave_is_the_callers(artifact):
    """Buffers are used again; vectors that were given are not."""
    for session in (bound(artifact, buckets=BUCKETS), bound(artifact)):
        first = session.run(pack([[2, 7, 3]]), [POOLED])[0]
        kept = first.copy()
        session.run(pack([[2, 30, 31, 3]]), [POOLED])
        np.testing.assert_array_equal(first, kept)
        first[:] = 0


@pytest.mark.parametrize("buckets", [[], BUCKETS])
def test_every_output_can_be_had_in_float16(artifact, buckets):
    session = bound(artifact, buckets=buckets)
    batch = pack([[2, 7, 3], [2, 9, 11, 3]])
    names = [half(NORMALIZED), NORMALIZED, half(POOLED), POOLED]
    halved, normalized, halved_pooled, pooled = session.run(batch, names)
    assert halved.dtype == halved_pooled.dtype == np.float16
    np.testing.assert_array_equal(halved, normalized.astype(np.float16))
    np.testing.assert_array_equal(halved_pooled, pooled.astype(np.float16))


def test_tokens_and_spans_can_be_had_in_float16(artifact):
    session = bound(artifact, Variant.LAYERS)
    batch = pack([[2, 7, 3], [2, 9, 11, 3]])
    for name in (TOKEN_VECTORS, SPAN_VECTORS):
        halved, vectors = session.run(batch, [half(name), name], every_state(batch, 2))
        np.testing.assert_array_equal(halved, vectors.astype(np.float16))


@pytest.mark.parametrize("ids", [[2, 88, 3], [2, -1, 3]])
def test_an_id_outside_the_vocabulary_never_reaches_the_device(artifact, ids):
    vocab_size = artifact.manifest.model.encoder.vocab_size
    session = bound(artifact)
    ids = [vocab_size if token == 88 else token for token in ids]
    with pytest.raises(ValueError, match=rf"limits 0\.\.{vocab_size - 1}"):
        session.run(pack([ids]), [POOLED])


def test_a_graph_that_a_cpu_cannot_run_is_one_line(artifact):
    weights = load_weights(artifact, FP32, Layout.PACKED)
    with pytest.raises(RuntimeUnavailableError) as caught:
        PackedSession(artifact, FP32, weights=weights)
    assert "cannot load embed.fp32.packed.onnx on CPUExecutionProvider: " in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_artifact_without_packed_graphs_says_so(tiny_artifact):
    artifact = Artifact.open(tiny_artifact)
    fp16 = replace(artifact.manifest.precisions[Precision.FP16], packed=None)
    bare = Artifact(artifact.directory, replace(artifact.manifest, precisions={Precision.FP16: fp16}))
    with pytest.raises(Exception, match="has no packed graphs"):
        load_weights(bare, Device(execution_provider=CPU, precision=Precision.FP16), Layout.PACKED)
