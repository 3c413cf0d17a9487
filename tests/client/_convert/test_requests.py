import math

import numpy as np
import pytest

from polyseme.client import InvalidArgumentError
from polyseme.client._convert.requests import checked_timeout, embed_request, similarity_request, tokenize_request
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2


def test_embed_request_leaves_unset_what_was_not_asked():
    request = embed_request({}, model="", dtype="float32")
    set_fields = (request.HasField("normalize"), request.HasField("dimensions"))
    assert set_fields == (False, False)
    assert not request.text_options.HasField("add_special_tokens")


def test_embed_request_carries_every_option():
    request = embed_request(
        {
            "normalize": False,
            "dimensions": 7,
            "truncate": "start",
            "prompt_name": "query",
            "add_special_tokens": False,
            "priority": "bulk",
        },
        model="m",
        dtype="int8",
    )
    expected = service_pb2.EmbedRequest(
        model=common_pb2.ModelRef(name="m"),
        text_options=common_pb2.TextOptions(
            truncate=common_pb2.TRUNCATE_START, prompt_name="query", add_special_tokens=False
        ),
        priority=common_pb2.PRIORITY_BULK,
        normalize=False,
        dimensions=7,
        dtype=tensor_pb2.DATA_TYPE_INT8,
    )
    assert request == expected


@pytest.mark.parametrize(
    "options",
    [
        {"dimensions": 0},
        {"dimensions": -1},
        {"dimensions": True},
        {"dimensions": 1 << 40},
        {"dimensions": "7"},
        {"normalize": "yes"},
        {"truncate": "middle"},
        {"truncate": None},
        {"priority": "unspecified"},
        {"prompt_name": 3},
        {"prompt_name": "\ud800"},
        {"add_special_tokens": "no"},
    ],
)
def test_embed_request_refuses(options):
    with pytest.raises(InvalidArgumentError):
        embed_request(options, model="", dtype="float32")


def test_embed_request_names_the_valid_choices():
    expected = r"^dtype is 'float64'; valid: float32, float16, bfloat16, int8, binary$"
    with pytest.raises(InvalidArgumentError, match=expected):
        embed_request({}, model="", dtype="float64")


@pytest.mark.parametrize(
    ("build", "required"),
    [
        (embed_request, {"dtype": "float32"}),
        (tokenize_request, {"offset_unit": "code_point"}),
        (similarity_request, {"mode": service_pb2.SIMILARITY_MODE_MATRIX, "top_k": 0}),
    ],
)
def test_requests_refuse_unknown_options_as_python_does(build, required):
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        build({"colour": "red"}, model="", **required)


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        (None, 30.0),
        (2, 2.0),
        (0.5, 0.5),
        (math.inf, None),
        (1e10, None),
        (10**400, None),
        (1e9, 1e9),
        (np.float32(0.5), 0.5),
    ],
)
def test_checked_timeout_gives(timeout, expected):
    assert checked_timeout(timeout, 30.0) == expected


@pytest.mark.parametrize("timeout", [0, -1, math.nan, "3", True])
def test_checked_timeout_refuses(timeout):
    with pytest.raises(InvalidArgumentError, match=r"^timeout (is|must be) "):
        checked_timeout(timeout, 30.0)
