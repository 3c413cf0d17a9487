"""models and model, against a server double."""

import pytest
from tests.client.fake_server import DIMENSIONS

from polyseme.client import NotFoundError


def test_models_lists_what_the_server_holds(client):
    (model,) = client.models()
    assert (model.name, model.is_default, model.pooling, model.dimensions) == ("tiny", True, "mean", DIMENSIONS)
    assert (model.limits.max_texts, model.prompts, model.default_prompt_name) == (512, {"query": "query: "}, None)


def test_model_raises_not_found(client, server):
    with pytest.raises(NotFoundError, match=f"^{server.target}: no model other; held: tiny$"):
        client.model("other")
