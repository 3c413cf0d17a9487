"""embed, in one call: values, options, refusals, deadlines."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS, MANY, vector_of, vectors_of

from polyseme.client import DeadlineExceededError, InvalidArgumentError, ResourceExhaustedError, UnimplementedError
from polyseme.v1 import tensor_pb2


def test_embed_gives_one_vector_for_one_str(client):
    assert np.array_equal(client.embed("bank"), vector_of("bank"))


def test_embed_gives_a_row_for_each_text(client):
    assert np.array_equal(client.embed(["bank", "", "bank"]), vectors_of(["bank", "", "bank"]))


def test_embed_gives_arrays_of_their_own(client):
    for vectors in (client.embed("bank"), client.embed(["bank"]), client.embed(MANY)):
        assert vectors.flags.owndata
        assert vectors.flags.writeable
        assert vectors.dtype == np.float32


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-11), ("bfloat16", 0), ("int8", 1 / 250)])
def test_embed_widens_what_travels_narrow(client, server, dtype, tolerance):
    vectors = client.embed(["a", "b"], dtype=dtype)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - vectors_of(["a", "b"])).max() <= tolerance
    assert server.faults.requests[-1].dtype == tensor_pb2.DataType.Value(f"DATA_TYPE_{dtype.upper()}")


def test_embed_gives_binary_as_packed_bits(client):
    bits = np.unpackbits(client.embed(["a", "b"], dtype="binary"), axis=-1, count=DIMENSIONS)
    assert np.array_equal(bits, vectors_of(["a", "b"]) > 0)


def test_embed_refuses_a_text_over_the_limit_before_sending(client, server):
    server.faults.limits["max_text_bytes"] = 100
    texts = [*MANY[:40], "x" * 101]
    with pytest.raises(
        InvalidArgumentError, match=r"^texts\[40\] has 101 bytes of UTF-8; limit 100 \(max_text_bytes\)$"
    ):
        client.embed(texts)
    assert server.faults.calls == {"GetModel": 1}


@pytest.mark.parametrize("texts", [["a", "\ud800"], ["a", None], 3, b"a"])
def test_embed_refuses_what_are_no_texts_before_sending(client, server, texts):
    with pytest.raises(InvalidArgumentError):
        client.embed(texts)
    assert not server.faults.calls


def test_embed_refuses_an_unknown_option(client):
    with pytest.raises(TypeError, match="colour"):
        client.embed("a", colour="red")


def test_embed_detailed_tells_what_else_the_server_said(client):
    result = client.embed_detailed(["a", "x" * 20])
    assert [(info.tokens, info.original_tokens, info.truncated) for info in result.texts] == [
        (1, 1, False),
        (16, 20, True),
    ]
    assert (result.model.name, result.model.precision, result.dimensions) == ("tiny", "float32", DIMENSIONS)
    assert [timings.total_s for timings in result.timings] == [2.0]


def test_embed_detailed_has_the_timings_of_each_call(client):
    result = client.embed_detailed(MANY)
    assert (len(result.timings), len(result.texts)) == (4, 1024)


@pytest.mark.parametrize("texts", ["a", ["a", "b"], MANY], ids=["one", "two", "several calls"])
def test_embed_detailed_has_int8_and_scales_as_they_were_sent(texts, client):
    result = client.embed_detailed(texts, dtype="int8")
    assert (result.int8.dtype, result.int8.shape) == (np.int8, result.embeddings.shape)
    assert (result.scales.dtype, result.scales.shape) == (np.float32, result.embeddings.shape[:-1])
    assert np.array_equal(result.int8 * result.scales[..., None], result.embeddings)
    assert result.int8.flags.owndata
    floats = client.embed_detailed(texts)
    assert (floats.int8, floats.scales) == (None, None)


def test_embed_ends_at_the_timeout(client, server):
    ended = threading.Event()

    def wait(request, context):
        context.add_callback(ended.set)
        assert ended.wait(300)

    server.faults.before_embed = wait
    with pytest.raises(DeadlineExceededError):
        client.embed("a", timeout=0.05)


def test_embed_waits_without_end_where_asked(client, server):
    assert client.embed("a", timeout=math.inf).shape == (DIMENSIONS,)


def test_embed_tells_when_a_full_server_welcomes_a_retry(client, server):
    server.faults.failures = [(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue is full")]
    server.faults.trailers = (("grpc-retry-pushback-ms", "1500"),)
    with pytest.raises(ResourceExhaustedError) as caught:
        client.embed("a")
    assert caught.value.retry_after == 1.5
    assert server.faults.calls == {"Embed": 1}


@pytest.mark.parametrize("dimensions", ["7", 1.5, True, 0, -1, 1 << 40])
def test_embed_refuses_dimensions_by_name_value_and_limit(client, dimensions):
    with pytest.raises(InvalidArgumentError, match=r"^dimensions (is|must be) .*; 1 to 4294967295 are valid$"):
        client.embed("a", dimensions=dimensions)


def test_embed_takes_an_int_of_numpy_as_dimensions(client):
    assert client.embed("a", dimensions=np.int64(5)).shape == (5,)


def test_embed_with_a_timeout_that_grpc_cannot_hold_does_not_expire(client):
    assert client.embed("a", timeout=1e300).shape == (DIMENSIONS,)


def test_embed_says_which_method_the_server_does_not_have(client, server):
    server.faults.failures = [(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")]
    expected = rf"^{server.target}: the server does not have /polyseme\.v1\.EmbeddingService/Embed, it is older"
    with pytest.raises(UnimplementedError, match=expected):
        client.embed("a")


def test_embed_is_safe_to_call_from_many_threads(client):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: client.embed(MANY[number : number + 50]), range(40)))
    assert all(np.array_equal(result, vectors_of(MANY[at : at + 50])) for at, result in enumerate(results))
