"""Prompts over a socket: the model's default, one by its name, none; and the metric that its authors mean."""

import json
import shutil

import grpc
import numpy as np
import pytest
from tests.server.running import refused, running

from polyseme.client import Client, InvalidArgumentError
from polyseme.export import ExportOptions, export_model
from polyseme.v1 import common_pb2, embedding_service_pb2

TEXT, PROMPT = "b a d", "a b: "
CONFIG = {
    "prompts": {"query": PROMPT, "document": ""},
    "default_prompt_name": "query",
    "similarity_fn_name": "manhattan",
}
MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"))
CALLS = {
    "embed": lambda client, **options: client.embed(TEXT, **options),
    "embed_stream": lambda client, **options: next(client.embed_stream([TEXT], **options)),
    "embed_tokens": lambda client, **options: client.embed_tokens(TEXT, **options).vectors,
    "embed_words": lambda client, **options: client.embed_words(TEXT, words="d", **options).vectors,
    "similarity": lambda client, **options: client.similarity([TEXT, "c"], **options),
    "word_similarity": lambda client, **options: client.word_similarity((TEXT, "d"), ("c", "c"), **options),
    "tokenize": lambda client, **options: client.tokenize(TEXT, **options).ids,
}


def export(tiny_checkpoint, folder, config):
    """The artifact of the tiny checkpoint with this config of sentence-transformers."""
    source = shutil.copytree(tiny_checkpoint, folder / "source")
    (source / "1_Pooling").mkdir()
    documents = {
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(MODULES)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": config,
    }
    for name, document in documents.items():
        (source / name).write_text(json.dumps(document))
    export_model(str(source), folder / "prompted", ExportOptions(name="prompted"))
    return folder / "prompted"


@pytest.fixture(scope="module")
def prompted(tiny_checkpoint, tmp_path_factory):
    """A server whose model has a default prompt and a metric of its own."""
    with running(export(tiny_checkpoint, tmp_path_factory.mktemp("prompted"), CONFIG)) as server:
        yield server


@pytest.fixture(scope="module")
def client(prompted):
    with Client(prompted.target) as client:
        yield client


@pytest.mark.parametrize("name", CALLS)
def test_the_default_prompt_can_be_switched_off(client, name):
    call = CALLS[name]
    default, off = call(client), call(client, without_prompt=True)
    assert not np.array_equal(default, off)
    for same in ({"prompt_name": ""}, {"prompt_name": "query"}, {"without_prompt": False}):
        np.testing.assert_array_equal(call(client, **same), default)
    np.testing.assert_array_equal(call(client, prompt_name="document"), off)  # a prompt that is empty


def test_without_prompt_leaves_the_text_alone(client):
    assert (
        client.tokenize(TEXT, without_prompt=True).ids[1:]
        == client.tokenize(PROMPT + TEXT, without_prompt=True).ids[-4:]
    )
    assert len(client.tokenize(TEXT).ids) == len(client.tokenize(TEXT, without_prompt=True).ids) + 3


@pytest.mark.parametrize("name", ["query", "nope"])
def test_both_set_are_refused(prompted, name):
    options = common_pb2.TextOptions(without_prompt=True, prompt_name=name)
    request = embedding_service_pb2.EmbedRequest(texts=[TEXT], text_options=options)
    refused(
        lambda: prompted.embedding.Embed(request, timeout=300),
        grpc.StatusCode.INVALID_ARGUMENT,
        "text_options.without_prompt and prompt_name are both set; at most one may be",
    )


def test_a_model_without_a_default_prompt_takes_the_option(server):
    with Client(server.target) as client:
        np.testing.assert_array_equal(client.embed(TEXT, without_prompt=True), client.embed(TEXT))
        with pytest.raises(InvalidArgumentError, match="no prompt of that name"):
            client.embed(TEXT, prompt_name="passage")


def test_the_models_metric_is_what_its_files_say(client):
    a, b = client.embed([TEXT, "c"]), client.embed(["a", "e f", "d"])
    distances = np.abs(a[:, None].astype(float) - b[None]).sum(axis=2)
    got = client.similarity([TEXT, "c"], ["a", "e f", "d"], metric="model")
    np.testing.assert_allclose(got, distances, rtol=1e-4, atol=1e-5)  # texts are batched otherwise here and there
    closest = client.top_k(TEXT, ["a", "e f", "d", TEXT], 4, metric="model")
    assert closest.indices[0] == 3
    assert (np.diff(closest.scores) >= 0).all()
    assert client.model().similarity == "manhattan"
