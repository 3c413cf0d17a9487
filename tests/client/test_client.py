import math
import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
from tests.client.fake_server import DIMENSIONS, identity, vector_of

from polyseme.client import (
    Client,
    ClosedClientError,
    DeadlineExceededError,
    InvalidArgumentError,
    InvalidReplyError,
    ModelChangedError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnimplementedError,
)
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2

MANY = [f"text {number}" for number in range(1024)]  # four calls of 256


def _vectors(texts):
    return np.stack([vector_of(text) for text in texts])


def test_embed_gives_one_vector_for_one_str(client):
    assert np.array_equal(client.embed("bank"), vector_of("bank"))


def test_embed_gives_a_row_for_each_text(client):
    assert np.array_equal(client.embed(["bank", "", "bank"]), _vectors(["bank", "", "bank"]))


def test_embed_gives_arrays_of_their_own(client):
    for vectors in (client.embed("bank"), client.embed(["bank"]), client.embed(MANY)):
        assert vectors.flags.owndata
        assert vectors.flags.writeable
        assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("texts", "options", "priorities"),
    [
        (["a"], {}, {common_pb2.PRIORITY_UNSPECIFIED}),
        (MANY[:32], {}, {common_pb2.PRIORITY_UNSPECIFIED}),
        (MANY, {}, {common_pb2.PRIORITY_BULK}),
        (MANY, {"priority": "interactive"}, {common_pb2.PRIORITY_INTERACTIVE}),
        (["a"], {"priority": "bulk"}, {common_pb2.PRIORITY_BULK}),
    ],
)
def test_embed_sends_a_list_of_several_calls_as_bulk_unless_told(client, server, texts, options, priorities):
    client.embed(texts, **options)
    sent = [request for request in server.faults.requests if isinstance(request, service_pb2.EmbedRequest)]
    assert {request.priority for request in sent} == priorities


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-11), ("bfloat16", 0), ("int8", 1 / 250)])
def test_embed_widens_what_travels_narrow(client, server, dtype, tolerance):
    vectors = client.embed(["a", "b"], dtype=dtype)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - _vectors(["a", "b"])).max() <= tolerance
    assert server.faults.requests[-1].dtype == tensor_pb2.DataType.Value(f"DATA_TYPE_{dtype.upper()}")


def test_embed_gives_binary_as_packed_bits(client):
    bits = np.unpackbits(client.embed(["a", "b"], dtype="binary"), axis=-1, count=DIMENSIONS)
    assert np.array_equal(bits, _vectors(["a", "b"]) > 0)


def test_embed_asks_nothing_else_for_a_small_list(client, server):
    client.embed([str(number) for number in range(32)])
    assert server.faults.calls == {"Embed": 1}


def test_embed_splits_a_long_list_and_asks_for_the_limits_once(client, server):
    for _ in range(2):
        assert np.array_equal(client.embed(MANY), _vectors(MANY))
    assert server.faults.calls == {"GetModel": 1, "Embed": 8}


@pytest.mark.parametrize("dtype", ["float32", "int8", "binary"])
def test_embed_splits_without_a_difference(client, dtype):
    texts = MANY[:300]
    one_by_one = np.stack([client.embed(text, dtype=dtype) for text in texts])
    assert np.array_equal(client.embed(texts, dtype=dtype), one_by_one)


def test_embed_splits_by_bytes_of_the_request(client, server):
    client.embed(["x" * 7_000] * 40)
    sizes = [request.ByteSize() for request in server.faults.requests if isinstance(request, service_pb2.EmbedRequest)]
    assert len(sizes) == 20
    assert max(sizes) <= 16 * 1024


def test_embed_splits_by_bytes_of_the_reply(client, server):
    server.faults.limits["max_message_bytes"] = 4096 + 40 * (DIMENSIONS * 4 + 32)
    client.embed(MANY[:100])
    assert server.faults.calls["Embed"] == 3


def test_embed_falls_back_to_smaller_calls_where_the_server_takes_less(client, server):
    server.faults.limits["max_texts"] = 8
    assert np.array_equal(client.embed(MANY[:20]), _vectors(MANY[:20]))
    assert server.faults.calls == {"Embed": 1 + 3, "GetModel": 1}


def test_embed_raises_the_first_refusal_where_size_was_not_the_reason(client, server):
    server.faults.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "texts[1] has 913 tokens; limit 512")]
    with pytest.raises(InvalidArgumentError, match=r"texts\[1\] has 913 tokens; limit 512$"):
        client.embed(["a", "b"])


def test_embed_keeps_order_where_replies_come_in_reverse(client, server):
    answered = [threading.Event() for _ in range(5)]
    answered[4].set()

    def wait_for_the_next_call(request, context):
        number = MANY.index(request.texts[0]) // 256
        assert answered[number + 1].wait(300)
        answered[number].set()

    server.faults.before_embed = wait_for_the_next_call
    assert np.array_equal(client.embed(MANY), _vectors(MANY))


def test_embed_has_four_calls_under_way_and_no_more(client, server):
    four, under_way, most = threading.Barrier(4), [0], [0]

    def enter(request, context):
        with server.faults.lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        four.wait(300)  # passes only when four calls are here

    def leave(reply):
        with server.faults.lock:
            under_way[0] -= 1
        return reply

    server.faults.before_embed, server.faults.mutate = enter, leave
    client.embed(MANY * 2)
    assert most[0] == 4


def test_embed_cancels_the_other_calls_after_an_error(client, server):
    arrived, cancelled = threading.Barrier(3), threading.Semaphore(0)

    def fail_the_second(request, context):
        number = MANY.index(request.texts[0]) // 256
        if number == 0:
            return
        ended = threading.Event()
        context.add_callback(ended.set)
        arrived.wait(300)
        if number == 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "texts[0] is bad")
        assert ended.wait(300)
        cancelled.release()

    server.faults.before_embed = fail_the_second
    with pytest.raises(InvalidArgumentError):
        client.embed(MANY)
    assert cancelled.acquire(timeout=300)
    assert cancelled.acquire(timeout=300)


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


def _rows(reply):
    reply.embeddings.shape[0] += 1
    return reply


def _flat(reply):
    del reply.embeddings.shape[:]
    reply.embeddings.shape.append(DIMENSIONS)
    return reply


def _short(reply):
    reply.embeddings.data = reply.embeddings.data[:-1]
    return reply


def _infos(reply):
    del reply.texts[:]
    return reply


def _empty(reply):
    return service_pb2.EmbedResponse()


@pytest.mark.parametrize("mutate", [_rows, _flat, _short, _infos, _empty])
def test_embed_refuses_a_reply_that_breaks_the_contract(client, server, mutate):
    server.faults.mutate = mutate
    with pytest.raises(InvalidReplyError):
        client.embed(["a"])


def test_embed_refuses_replies_of_different_widths(client, server):
    def narrow(reply):
        if server.faults.calls["Embed"] == 1:
            return reply
        reply.embeddings.shape[1] = DIMENSIONS // 2
        reply.embeddings.data = reply.embeddings.data[: len(reply.embeddings.data) // 2]
        return reply

    server.faults.limits["max_texts"] = 1
    client.model()
    server.faults.mutate = narrow
    with pytest.raises(InvalidReplyError, match=r"of 12 and of 6 elements|of 6 and of 12 elements"):
        client.embed(["a", "b"])


def test_embed_refuses_to_mix_two_models(client, server):
    versions = iter(["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc", "dddddddddddd"])

    def change(reply):
        with server.faults.lock:
            reply.model.CopyFrom(identity(next(versions)))
        return reply

    server.faults.mutate = change
    with pytest.raises(ModelChangedError, match="the model changed from tiny "):
        client.embed(MANY)


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


def _refuse_first_calls(server, times, retry_ms):
    """Refuse so many of the calls that start with text 256, as a full server does."""
    left = [times]

    def refuse(request, context):
        if request.texts[0] == "text 256" and left[0]:
            left[0] -= 1
            context.set_trailing_metadata((("grpc-retry-pushback-ms", str(retry_ms)),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue is full")

    server.faults.before_embed = refuse


def test_embed_sends_a_call_of_a_long_list_again_when_a_full_server_says(client, server):
    _refuse_first_calls(server, 3, 5)
    assert np.array_equal(client.embed(MANY), _vectors(MANY))
    assert server.faults.calls["Embed"] == 4 + 3


def test_embed_does_not_wait_for_a_full_server_beyond_the_timeout(client, server):
    _refuse_first_calls(server, 9, 60_000)
    with pytest.raises(ResourceExhaustedError, match="queue is full"):
        client.embed(MANY, timeout=5)


def test_embed_names_the_text_by_its_index_in_the_whole_list(client, server):
    def refuse(request, context):
        if request.texts[0] == "text 512":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "texts[3] has 913 tokens; limit 512")

    server.faults.before_embed = refuse
    with pytest.raises(InvalidArgumentError, match=rf"^{server.target}: texts\[515\] has 913 tokens; limit 512$"):
        client.embed(MANY)


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
    assert all(np.array_equal(result, _vectors(MANY[at : at + 50])) for at, result in enumerate(results))


def test_similarity_compares_each_with_each(client):
    a, b = ["x", "y"], ["x", "y", "z"]
    assert np.allclose(client.similarity(a, b), _vectors(a) @ _vectors(b).T, atol=1e-6)


def test_similarity_compares_a_list_with_itself(client, server):
    assert np.allclose(client.similarity(["x", "y"]), _vectors(["x", "y"]) @ _vectors(["x", "y"]).T, atol=1e-6)
    assert not server.faults.requests[-1].b


@pytest.mark.parametrize(
    ("a", "b", "shape"),
    [("x", "y", ()), ("x", ["y"], (1,)), (["x", "y"], "z", (2,)), (["x"], ["y", "z"], (1, 2)), ("x", None, ())],
)
def test_similarity_drops_the_axis_of_one_str(client, a, b, shape):
    assert client.similarity(a, b).shape == shape


def test_similarity_passes_the_metric_on(client):
    expected = np.linalg.norm(vector_of("x") - vector_of("y"))
    assert client.similarity("x", "y", metric="euclidean") == pytest.approx(expected, abs=1e-6)


def test_similarity_pairwise_compares_row_by_row(client):
    a, b = ["x", "y"], ["y", "z"]
    assert np.allclose(client.similarity_pairwise(a, b), (_vectors(a) * _vectors(b)).sum(1), atol=1e-6)


def test_similarity_pairwise_refuses_different_lengths(client):
    with pytest.raises(InvalidArgumentError, match="a has 2 texts and b has 1"):
        client.similarity_pairwise(["x", "y"], ["z"])


def test_top_k_gives_scores_and_indices(client):
    texts = ["a", "b", "c", "d"]
    scores, indices = client.top_k(["c", "a"], texts, 2)
    assert indices[:, 0].tolist() == [2, 0]
    assert np.allclose(scores, np.sort(_vectors(["c", "a"]) @ _vectors(texts).T)[:, :1:-1], atol=1e-6)


def test_top_k_drops_the_axis_of_one_query(client):
    scores, indices = client.top_k("b", ["a", "b", "c"], 2)
    assert (scores.shape, indices.shape, indices[0], indices.dtype) == ((2,), (2,), 1, np.int64)


def test_top_k_takes_an_int_of_numpy(client):
    assert client.top_k("b", ["a", "b", "c"], np.int64(2)).scores.shape == (2,)


@pytest.mark.parametrize("k", [0, 4, True, 1.0, None])
def test_top_k_refuses_k(client, k):
    with pytest.raises(InvalidArgumentError, match=r"1 to 3, the number of texts"):
        client.top_k("b", ["a", "b", "c"], k)


def test_top_k_refuses_an_index_out_of_range(client, server):
    def shift(reply):
        reply.indices[0] = 3
        return reply

    server.faults.mutate = shift
    with pytest.raises(InvalidReplyError):
        client.top_k("b", ["a", "b", "c"], 2)


def test_similarity_refuses_what_one_call_cannot_hold(client, server):
    with pytest.raises(InvalidArgumentError, match=r"600 texts; limit 512 \(max_texts\): embed\(\) the texts"):
        client.similarity(MANY[:300], MANY[:300])
    assert server.faults.calls == {"GetModel": 1}


def test_similarity_refuses_a_matrix_over_one_message(client, server):
    server.faults.limits["max_message_bytes"] = 100_000
    with pytest.raises(InvalidArgumentError, match=r"limit 100000 \(max_message_bytes\)"):
        client.similarity(MANY[:200])


@pytest.mark.parametrize(
    ("a", "b", "named"), [(["a", "\udfff"], ["b"], "a[1]"), ("a", ["b", 3], "b[1]"), ("a", [], "b ")]
)
def test_similarity_names_the_operand_that_is_no_text(client, a, b, named):
    with pytest.raises(InvalidArgumentError) as caught:
        client.similarity(a, b)
    assert str(caught.value).startswith(named)


def test_similarity_refuses_scores_of_another_shape(client, server):
    def cut(reply):
        reply.scores.shape[0] -= 1
        reply.scores.data = reply.scores.data[:8]
        return reply

    server.faults.mutate = cut
    with pytest.raises(InvalidReplyError, match=r"shape \[1, 2\]; expected \[2, 2\]"):
        client.similarity(["a", "b"])


def test_tokenize_gives_columns(client):
    tokenized = client.tokenize("né")
    assert tokenized.tokens == ("[CLS]", "n", "é")
    assert tokenized.ids == (101, ord("n"), ord("é"))
    assert tokenized.offsets == ((0, 0), (0, 1), (1, 2))
    assert tokenized.special == (True, False, False)
    assert tokenized.word_ids == (None, 0, 1)
    assert (len(tokenized), tokenized.info.tokens) == (3, 2)


def test_tokenize_splits_and_keeps_order(client, server):
    texts = MANY[:600]
    assert ["".join(entry.tokens[1:]) for entry in client.tokenize(texts)] == texts
    assert server.faults.calls["Tokenize"] == 3


def test_tokenize_passes_the_offset_unit_on(client, server):
    client.tokenize("a", offset_unit="utf16_code_unit")
    assert server.faults.requests[-1].offset_unit == 3


def test_tokenize_refuses_columns_of_different_lengths(client, server):
    def drop(reply):
        del reply.texts[0].tokens.starts[0]
        return reply

    server.faults.mutate = drop
    with pytest.raises(InvalidReplyError, match="token columns of different lengths"):
        client.tokenize("abc")


def test_models_lists_what_the_server_holds(client):
    (model,) = client.models()
    assert (model.name, model.is_default, model.pooling, model.dimensions) == ("tiny", True, "mean", DIMENSIONS)
    assert (model.limits.max_texts, model.prompts, model.default_prompt_name) == (512, {"query": "query: "}, None)


def test_model_raises_not_found(client, server):
    with pytest.raises(NotFoundError, match=f"^{server.target}: no model other; held: tiny$"):
        client.model("other")


def test_client_sends_its_model_unless_a_call_names_one(server):
    with Client(server.target, model="tiny") as client:
        client.embed("a")
        client.embed("a", model="other")
    assert [request.model.name for request in server.faults.requests] == ["tiny", "other"]


def test_client_sends_its_token(server):
    with Client(server.target, token="s3cret") as client:
        client.embed("a")
    assert server.faults.metadata[0]["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("token", ["", "line\nbreak", "é", 3])
def test_client_refuses_a_token_without_repeating_it(token):
    with pytest.raises(InvalidArgumentError) as caught:
        Client(token=token)
    assert str(caught.value) == "token must be printable ASCII"


def test_client_raises_unauthenticated(client, server):
    server.faults.failures = [(grpc.StatusCode.UNAUTHENTICATED, "no token")]
    with pytest.raises(UnauthenticatedError):
        client.models()


@pytest.mark.parametrize(
    "arguments", [{"target": ""}, {"target": "http://a:1"}, {"timeout": 0}, {"timeout": None}, {"model": 3}]
)
def test_client_refuses(arguments):
    with pytest.raises(InvalidArgumentError):
        Client(**arguments)


def test_client_refuses_calls_after_close(server):
    client = Client(server.target)
    client.close()
    client.close()
    with pytest.raises(ClosedClientError, match=f"the client of {server.target} is closed"):
        client.embed("a")
    for call in (client.health, client.models, lambda: next(client.embed_stream(["a"]))):
        with pytest.raises(ClosedClientError):
            call()


def test_close_ends_calls_under_way(server):
    arrived, ended = threading.Event(), threading.Event()

    def wait(request, context):
        context.add_callback(ended.set)
        arrived.set()
        assert ended.wait(300)

    server.faults.before_embed = wait
    client = Client(server.target)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.embed, "a")
        assert arrived.wait(300)
        client.close()
        with pytest.raises(ClosedClientError):
            call.result(10)


def test_client_imports_nothing_but_its_dependencies():
    heavy = ["rich", "onnxruntime", "tokenizers", "onnx", "torch", "grpc_status", "google.rpc"]
    program = f"import sys, polyseme.client; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("options", "shape", "dtype"),
    [
        ({}, (0, DIMENSIONS), np.float32),
        ({"dimensions": 5}, (0, 5), np.float32),
        ({"dtype": "int8"}, (0, DIMENSIONS), np.float32),
        ({"dtype": "binary"}, (0, 2), np.uint8),
    ],
)
def test_no_texts_have_no_vectors_of_the_width_of_the_model(server, client, options, shape, dtype):
    result = client.embed_detailed([], **options)
    assert (result.embeddings.shape, result.embeddings.dtype, result.texts) == (shape, dtype, ())
    assert result.model == client.embed_detailed("a").model
    assert server.faults.calls["Embed"] == 1


def test_no_texts_are_checked_as_others_are(client):
    with pytest.raises(InvalidArgumentError, match=r"^dimensions is 13; limit 12$"):
        client.embed([], dimensions=13)
    with pytest.raises(InvalidArgumentError, match=r"^normalize must be True or False, got str$"):
        client.embed([], normalize="yes")


def test_no_texts_have_no_tokens_and_no_words(server, client):
    assert client.tokenize([]) == client.embed_tokens([]) == client.embed_words([], words=["a"]) == []
    assert server.faults.calls.total() == 0


@contextmanager
def failing_from(server, text):
    """A server that answers in full until it is asked for this text."""

    def fail(request, context):
        if text in request.texts:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no more")

    server.faults.before_embed = fail
    yield
    server.faults.before_embed = None


@pytest.mark.parametrize("dtype", ["float32", "int8", "binary"])
def test_an_error_carries_what_was_finished(server, client, dtype):
    many = [f"text {number}" for number in range(1024)]  # four calls of 256
    whole = client.embed_detailed(many, dtype=dtype)
    with failing_from(server, many[600]), pytest.raises(PermissionDeniedError) as caught:
        client.embed(many, dtype=dtype)
    partial = caught.value.partial
    assert np.array_equal(partial.embeddings, whole.embeddings[:512])
    assert (partial.texts, len(partial.timings)) == (whole.texts[:512], 2)
    assert partial.scales is None or np.array_equal(partial.scales, whole.scales[:512])


def test_an_error_of_the_first_texts_carries_nothing(server, client):
    with failing_from(server, "a"), pytest.raises(PermissionDeniedError) as caught:
        client.embed("a")
    assert caught.value.partial is None


def test_the_traceback_of_a_refusal_is_short(client):
    """It was 64 lines, most of them gRPC's."""
    with pytest.raises(NotFoundError) as caught:
        client.model("none")
    lines = "".join(traceback.format_exception(caught.value))
    assert "grpc/_channel.py" not in lines
    assert "The above exception" not in lines


def test_grpc_writes_no_lines_of_its_own():
    program = """
from polyseme.client import Client, UnavailableError
import grpc
server = grpc.server(None)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
try:
    Client(f"127.0.0.1:{port}", credentials=grpc.ssl_channel_credentials()).health()
except UnavailableError:
    server.stop(0).wait()
"""
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
