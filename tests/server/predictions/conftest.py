import json

import pytest
from tests.data.golden.make_heads import HEADS
from tests.server.predictions.calls import serving_heads


@pytest.fixture(scope="module")
def server(head_artifacts, tiny_artifact):
    with serving_heads(head_artifacts, tiny_artifact) as it:
        yield it


@pytest.fixture(scope="module")
def golden():
    return json.loads((HEADS / "answers.json").read_text())
