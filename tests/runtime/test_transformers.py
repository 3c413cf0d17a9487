"""Our hidden states are those of transformers' BertModel; skipped where it is not installed.

pip install torch transformers
"""

import numpy as np
import pytest
from tests.states import all_states

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.runtime.batches.padded import collate
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded_session import Session
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

pytestmark = [
    pytest.mark.transformers,
    pytest.mark.filterwarnings("ignore"),  # those of torch and transformers are not ours to mend
]
TEXTS = [
    "I deposited the check at the bank.",
    "We sat on the bank of the river.",
    "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.",
    "",
    "Naïve cafés serve crème brûlée; 東京 does too.",
    "A sentence that is repeated until it is long. " * 40,
]
# float32 against float32: of 1,000 texts torch itself is up to 1e-5 away from float64, so are we.
RELATIVE_L2 = 1e-5
MAX_ABS = 3e-5


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(scope="module")
def bert(torch, minilm_source):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    return transformers.BertModel.from_pretrained(minilm_source, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def artifact(minilm_artifact):
    return Artifact.open(minilm_artifact)


@pytest.fixture(scope="module")
def tokenizer(artifact):
    return Tokenizer(artifact.path("tokenizer.json"), vocab_size=artifact.manifest.model.encoder.vocab_size)


def encode(tokenizer, artifact, texts, **options):
    limit = artifact.manifest.model.max_tokens
    return [text.ids for text in tokenizer.encode(texts, EncodeOptions(limit=limit, **options))]


def states_of(artifact, sequences):
    """Of each text [L + 2, T, H]: the row of the word table, the embeddings, layers 1..L."""
    session = Session(artifact, Device(execution_provider=CPU, precision=Precision.FP32), Variant.LAYERS)
    states = all_states(session, collate(sequences, 0), artifact.manifest.model.encoder.num_hidden_layers)
    return [states[:, row, : len(ids)] for row, ids in enumerate(sequences)]


def reference(torch, bert, ids):
    """hidden_states of BertModel, the row of the word table before them: [L + 2, T, H]."""
    input_ids = torch.tensor([list(ids)])
    with torch.inference_mode():
        hidden = bert(input_ids=input_ids, output_hidden_states=True).hidden_states
        static = bert.embeddings.word_embeddings(input_ids)
    return torch.cat([static, *hidden]).numpy()


def test_every_layer_equals_the_hidden_states_of_transformers(torch, bert, artifact, tokenizer):
    sequences = encode(tokenizer, artifact, TEXTS, truncate=Truncate.END)
    for ids, ours in zip(sequences, states_of(artifact, sequences), strict=True):
        theirs = reference(torch, bert, ids)
        assert theirs.shape == ours.shape
        np.testing.assert_array_equal(
            theirs[0], ours[0], err_msg="the row of the word table is looked up, not computed"
        )
        difference = ours - theirs
        relative = np.linalg.norm(difference, axis=-1) / np.linalg.norm(theirs, axis=-1)
        for layer, worst in enumerate(relative[1:].max(axis=-1)):
            assert worst <= RELATIVE_L2, f"layer {layer}, {len(ids)} tokens"
        assert np.abs(difference).max() <= MAX_ABS, f"{len(ids)} tokens"


def test_special_tokens_written_by_hand_equal_those_that_are_added(torch, bert, artifact, tokenizer):
    """The tutorial's way, marked_text = "[CLS] " + text + " [SEP]", gives the same vectors."""
    text = TEXTS[2]
    added, by_hand = (
        encode(tokenizer, artifact, [text])[0],
        encode(tokenizer, artifact, [f"[CLS] {text} [SEP]"], add_special_tokens=False)[0],
    )
    assert list(added) == list(by_hand)
    (ours,) = states_of(artifact, [by_hand])
    np.testing.assert_allclose(ours[1:], reference(torch, bert, added)[1:], atol=MAX_ABS, rtol=0)
