"""A real server whose model has a prompt for queries and one for documents, and what the SDK gives for each."""

from contextlib import contextmanager

import numpy as np
from tests.server.running import running
from tests.server.test_prompts import export

from polyseme.client import Client

QUERY, TEXTS = "b a d", ["a b", "c", "d e f"]
CONFIG = {"prompts": {"query": "a b: ", "passage": "d e: ", "other": "f: "}, "default_prompt_name": "other"}


@contextmanager
def prompted(checkpoint, folder, **settings):
    with running(export(checkpoint, folder, CONFIG), runners=1, **settings) as server:
        yield server


def by_sdk(server, texts, prompt, token=None):
    """Vectors as lists: what every integration must give, to the bit."""
    with Client(server.target, token=token) as client:
        found = client.embed(texts, prompt_name=prompt)
        assert not np.array_equal(found, client.embed(texts))  # another prompt gives other vectors
        return found.tolist()
