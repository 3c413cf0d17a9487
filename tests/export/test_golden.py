"""all-MiniLM-L6-v2 against vectors that a float64 forward pass gave (tests/data/golden)."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.data.golden.make import BANK_ROBBER, BANKS, SENTENCES, WHOLE, compute
from tests.states import all_states

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer

GOLDEN = Path(__file__).parents[1] / "data/golden"
BANK = 2924  # its token id
# Of an element, as parity.TOLERANCES has it; fp16: what rounding 45 million weights leaves, with a margin of 2.
TOLERANCE = {Precision.FP32: 3e-5, Precision.FP16: 2e-2}


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN / "minilm.npz"))


@pytest.fixture(scope="module")
def artifact(minilm_artifact):
    return Artifact.open(minilm_artifact)


@pytest.fixture(scope="module")
def texts(golden):
    return [ids.tolist() for ids in np.split(golden["input_ids"], np.cumsum(golden["lengths"])[:-1])]


def session(artifact, precision, variant):
    return Session(artifact, Device(execution_provider=CPU, precision=precision), variant, intra_op_threads=0)


@pytest.fixture(scope="module", params=Precision, ids=lambda precision: precision.value)
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def states(artifact, texts, precision):
    """[7, N, S, 384]: every layer of every text, run as one batch padded on the right."""
    return all_states(session(artifact, precision, Variant.LAYERS), collate(texts, 0), 6)[1:].astype(np.float64)


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_the_fixture_is_what_make_py_makes(golden, minilm_source):
    assert list(SENTENCES) == json.loads((GOLDEN / "minilm.json").read_text(encoding="utf-8"))["sentences"]
    made = compute(minilm_source)
    assert set(golden) == set(made)
    for name, expected in golden.items():
        np.testing.assert_allclose(made[name], expected, rtol=1e-6, atol=1e-12, err_msg=name)


def test_token_ids(artifact, texts):
    tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=30522)
    assert texts == [list(text.ids) for text in tokenizer.encode(SENTENCES, EncodeOptions(limit=256))]
    robber = texts[SENTENCES.index(BANK_ROBBER)]
    assert len({robber[at] for at in BANKS}) == 1, "the three tokens are the same word"


def test_pooled(artifact, golden, texts, precision):
    pooled, normalized = session(artifact, precision, Variant.EMBED).run(collate(texts, 0), ["pooled", "normalized"])
    np.testing.assert_allclose(pooled, golden["pooled"], atol=TOLERANCE[precision])
    expected = golden["pooled"] / np.linalg.norm(golden["pooled"], axis=1, keepdims=True)
    tolerance = {Precision.FP32: 1e-6, Precision.FP16: 1e-3}[precision]
    np.testing.assert_allclose(normalized, expected, atol=tolerance)


def test_every_layer_of_every_token(golden, states, precision):
    length = golden["lengths"][WHOLE]
    np.testing.assert_allclose(states[:, WHOLE, :length], golden["whole"], atol=TOLERANCE[precision])
    robber = SENTENCES.index(BANK_ROBBER)
    np.testing.assert_allclose(states[:, robber, list(BANKS)], golden["banks"], atol=TOLERANCE[precision])


@pytest.mark.parametrize(
    ("first_layer", "vault", "river"),
    [(-4, 0.9406, 0.8887), (-1, 0.9641, 0.9325)],
    ids=["sum of the last four layers", "last layer"],
)
def test_the_bank_of_the_robber_is_nearer_to_the_vault_than_to_the_river(states, first_layer, vault, river):
    of_vault, of_robber, of_river = states[first_layer:, SENTENCES.index(BANK_ROBBER), list(BANKS)].sum(axis=0)
    # Known from another implementation to four digits; fp16 changes the fifth.
    assert vault == pytest.approx(cosine(of_robber, of_vault), abs=1e-4)
    assert river == pytest.approx(cosine(of_robber, of_river), abs=1e-4)


def test_embeddings_know_the_position_alone(states, texts):
    """At layer 0 the two *bank*s of the lesson differ by where they stand, and by nothing else."""
    check, river = (states[0, i, texts[i].index(BANK)] for i in (0, 1))
    assert pytest.approx(cosine(check, river), abs=1e-3) == 0.966


def test_static_vectors_know_no_context(artifact, texts):
    batch = collate(texts, 0)
    static = all_states(session(artifact, Precision.FP32, Variant.LAYERS), batch, 6)[0]
    check, river = (static[i, texts[i].index(BANK)] for i in (0, 1))
    np.testing.assert_array_equal(check, river)
