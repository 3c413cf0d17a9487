"""Where texts are tokenized: a short one where it stands, all else on threads of its own."""

import asyncio
import threading

import numpy as np
import pytest

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.runtime.text.tokenizer import Tokenizer, Truncate
from polyseme.server.models.text_encoder import TextEncoder


class Recorded:
    """The real tokenizer; it knows on which threads it was used."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self.threads = []

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)

    def encode(self, texts, options):
        self.threads.append(threading.current_thread().name.partition("_")[0])
        return self._tokenizer.encode(texts, options)


@pytest.fixture
def encoder(tiny_artifact):
    artifact = Artifact.open(tiny_artifact)
    spec = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=spec.encoder.vocab_size)
    made = TextEncoder(Recorded(tokenizer), spec, "tiny", 1)
    made.tokenizer.threads.clear()
    yield made
    made.close()


def encode(encoder, *texts):
    options = encoder.options(Truncate.END, add_special_tokens=True, prompt_name="")
    return asyncio.run(encoder.encode(texts, options, lambda index: ("texts", index)))


@pytest.mark.parametrize(
    ("texts", "thread"),
    [(["we sat"], "MainThread"), (["a" * 512], "MainThread"), (["a" * 513], "tokenizer"), (["we", "sat"], "tokenizer")],
)
def test_only_one_short_text_is_tokenized_on_the_event_loop(encoder, texts, thread):
    assert len(encode(encoder, *texts)) == len(texts)
    assert encoder.tokenizer.threads == [thread]


def test_a_text_has_the_same_ids_wherever_it_is_tokenized(encoder):
    (alone,), (beside, _) = encode(encoder, "we sat on the bank"), encode(encoder, "we sat on the bank", "again")
    np.testing.assert_array_equal(alone.ids, beside.ids)
