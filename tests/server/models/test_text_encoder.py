"""Where texts are tokenized: a short one where it stands, all else on threads of its own."""

import asyncio
import threading

import numpy as np
import pytest

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.runtime.text.tokenizer import Tokenizer, Truncate
from polyseme.server.models.text_encoder import TextEncoder

THREADS = 3


class Recorded:
    """The real tokenizer; it knows on which threads it was used, and can wait for as many at once."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self.threads = []
        self.together = threading.Barrier(1)

    def __getattr__(self, name):
        return getattr(self._tokenizer, name)

    def encode(self, texts, options):
        together = self.together
        self.threads.append(threading.current_thread().name.partition("_")[0])
        together.wait(300)
        return self._tokenizer.encode(texts, options)


@pytest.fixture
def encoder(tiny_artifact):
    artifact = Artifact.open(tiny_artifact)
    spec = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=spec.encoder.vocab_size)
    made = TextEncoder(Recorded(tokenizer), spec, "tiny", THREADS)
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


def test_texts_that_take_long_are_spread_over_idle_threads_and_stay_in_order(encoder):
    texts = [f"we sat on bank {number} " + "and " * 1200 for number in range(7)]
    one_by_one = [encode(encoder, text)[0] for text in texts]
    encoder.tokenizer.together = threading.Barrier(THREADS)  # nobody goes on before all of them are at work
    spread = encode(encoder, *texts)
    assert [text.ids.tolist() for text in spread] == [text.ids.tolist() for text in one_by_one]


def test_threads_that_others_use_are_not_waited_for(encoder):
    texts = ["and " * 1200] * 8
    held, one = threading.Barrier(2), ["and " * 200]

    async def both():
        options = encoder.options(Truncate.END, add_special_tokens=True, prompt_name="")
        encoder.tokenizer.together = held
        first = asyncio.create_task(encoder.encode(one, options, lambda index: ("texts", index)))
        while not encoder.tokenizer.threads:  # noqa: ASYNC110  it is set on another thread
            await asyncio.sleep(0.001)
        encoder.tokenizer.together = threading.Barrier(THREADS - 1)
        spread = await encoder.encode(texts, options, lambda index: ("texts", index))
        await asyncio.to_thread(held.wait, 300)
        return spread, await first

    spread, first = asyncio.run(both())
    assert (len(spread), len(first)) == (8, 1)
