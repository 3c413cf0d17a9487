"""Prompts whose tokens are not pooled, over a socket, against numpy on the vectors of the tokens."""

import json
import math
import shutil

import numpy as np
import pytest
from tests.export.checkpoints import make_dense, make_sentence_transformer
from tests.server.running import running

from polyseme.artifact import Precision
from polyseme.client import Client, InvalidArgumentError
from polyseme.export import ExportOptions, export_model
from polyseme.server.inference import prompted

PROMPT, TEXTS = "a b ", ["b a d", "", "d e f a b c"]
FIRST = 3  # [CLS] a b
POOL = {
    "cls": lambda tokens: tokens[0],
    "mean": lambda tokens: tokens.mean(axis=0),
    "max": lambda tokens: tokens.max(axis=0),
    "mean_sqrt_len_tokens": lambda tokens: tokens.sum(axis=0) / math.sqrt(len(tokens)),
    "lasttoken": lambda tokens: tokens[-1],
}
WEIGHT = np.random.default_rng(3).standard_normal((8, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def serve(tiny_checkpoint, tmp_path_factory):
    """Runs servers of the tiny checkpoint, which does not pool the tokens of its prompt `q`."""

    def start(pooling, *kinds):
        folder = tmp_path_factory.mktemp("prompted")
        source = shutil.copytree(tiny_checkpoint, folder / "source")
        settings = {"pooling_mode": pooling, "include_prompt": False}
        make_sentence_transformer(source, "Transformer", "Pooling", *kinds, **settings)
        if "Dense" in kinds:
            make_dense(source / "2_Dense", WEIGHT, None, "activation.Tanh")
        roles = {"cls_token": "[CLS]", "sep_token": "[SEP]"}  # transformers knows what has one for special
        (source / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | roles)
        )
        (source / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"q": PROMPT}}))
        export_model(str(source), folder / "artifact", ExportOptions(precisions=(Precision.FP32,)))
        return running(folder / "artifact")

    return start


@pytest.fixture(scope="module")
def client(serve):
    with serve("mean") as server, Client(server.target) as client:
        yield client


def states(client, text, **options):
    """[T, H] of the last layer, of every token that the model sees."""
    return client.embed_tokens(text, include_special_tokens=True, **options).vectors


@pytest.mark.parametrize("pooling", POOL)
def test_the_texts_own_tokens_are_pooled(serve, pooling, monkeypatch):
    monkeypatch.setattr(prompted, "_MOST_ELEMENTS", 1)  # each text in a group of its own
    with serve(pooling) as server, Client(server.target) as client:
        expected = np.stack([POOL[pooling](states(client, text, prompt_name="q")[FIRST:]) for text in TEXTS])
        plain = [POOL[pooling](states(client, text)) for text in TEXTS]
        for normalize in (False, True):
            got = client.embed(TEXTS, prompt_name="q", normalize=normalize)
            lengths = np.linalg.norm(expected, axis=1, keepdims=True) if normalize else 1
            np.testing.assert_allclose(got, expected / lengths, atol=1e-5)  # float32 in batches of other texts
        np.testing.assert_allclose(client.embed(TEXTS), plain, atol=1e-5)


def test_dense_layers_take_what_was_pooled(serve):
    with serve("mean", "Dense", "Normalize") as server, Client(server.target) as client:
        pooled = np.stack([states(client, text, prompt_name="q")[FIRST:].mean(axis=0) for text in TEXTS])
        expected = np.tanh(pooled @ WEIGHT.T)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(client.embed(TEXTS, prompt_name="q"), expected, atol=1e-5)
        cut = client.embed(TEXTS, prompt_name="q", dimensions=3)
        np.testing.assert_allclose(cut, expected[:, :3] / np.linalg.norm(expected[:, :3], axis=1)[:, None], atol=1e-5)


def test_texts_are_compared_by_what_was_pooled(client):
    rows = client.embed(TEXTS, prompt_name="q")
    scores = client.similarity(TEXTS, prompt_name="q", metric="euclidean")
    np.testing.assert_allclose(scores, np.linalg.norm(rows[:, None] - rows[None], axis=2), atol=1e-4)


def test_streams_pool_as_calls_do(client):
    streamed = np.stack(list(client.embed_stream(TEXTS, prompt_name="q")))
    np.testing.assert_allclose(streamed, client.embed(TEXTS, prompt_name="q"), atol=1e-5)


@pytest.mark.parametrize("truncate", ["end", "start"])
def test_what_a_cut_leaves_of_the_prompt_is_not_pooled(client, truncate):
    text = "a b c d e f " * 40
    limit = client.model().max_tokens
    tokens = states(client, text, prompt_name="q", truncate=truncate)
    assert len(tokens) == limit
    own = tokens[FIRST if truncate == "end" else 0 :]  # cut at the start, all of the prompt is gone
    got = client.embed(text, prompt_name="q", truncate=truncate)
    np.testing.assert_allclose(got, own.mean(axis=0), atol=1e-5)


def test_a_text_that_leaves_nothing_to_pool_is_refused(client):
    with pytest.raises(InvalidArgumentError, match=r"texts\[1\] has 2 tokens, all of its prompt, and none to pool$"):
        client.embed(["a b", ""], prompt_name="q", add_special_tokens=False)


def test_other_calls_keep_the_prompt(client):
    assert len(client.tokenize("b", prompt_name="q").ids) == FIRST + 2
    assert client.embed_words("b a d", words="d", prompt_name="q").words == ("d",)
