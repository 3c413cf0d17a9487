"""Vectors through KServe's protocol: those of polyseme.v1, bit by bit, raw and in typed fields."""

import struct

import grpc
import numpy as np
import pytest
from tests.server.running import CANARY, refused, running

from polyseme.protocols.kserve import grpc_service_pb2 as pb
from polyseme.protocols.kserve import grpc_service_pb2_grpc
from polyseme.v1 import embedding_service_pb2 as v1

Code = grpc.StatusCode
TEXTS = ("we sat on the bank.", "", "naïve café 🙂", "a " * 60)
LONG = "a " * 400  # the tiny model takes 128 tokens
NUMPY = {"FP32": "<f4", "UINT32": "<u4", "BOOL": "?"}


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact, protocols="kserve", max_texts=64, max_text_bytes=4096) as it:
        it.kserve = grpc_service_pb2_grpc.GRPCInferenceServiceStub(it.channel)
        yield it


def by_v1(server, texts, **fields):
    return server.embedding.Embed(v1.EmbedRequest(texts=texts, **fields), timeout=300).embeddings.data


def infer(texts, *, raw=True, shape=None, outputs=(), **parameters):
    request = pb.ModelInferRequest(model_name="tiny", id="7")
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)] if shape is None else shape)
    elements = [text if isinstance(text, bytes) else text.encode() for text in texts]
    if raw:
        request.raw_input_contents.append(b"".join(struct.pack("<I", len(one)) + one for one in elements))
    else:
        tensor.contents.bytes_contents.extend(elements)
    request.outputs.extend(pb.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs)
    for name, value in parameters.items():
        kind = {str: "string_param", bool: "bool_param", int: "int64_param"}[type(value)]
        setattr(request.parameters[name], kind, value)
    return request


def arrays(reply):
    """The outputs by name, from raw bytes or typed fields."""
    found = {}
    for index, tensor in enumerate(reply.outputs):
        if reply.raw_output_contents:
            values = np.frombuffer(reply.raw_output_contents[index], NUMPY[tensor.datatype])
        else:
            field = {"FP32": "fp32_contents", "UINT32": "uint_contents", "BOOL": "bool_contents"}[tensor.datatype]
            values = np.array(getattr(tensor.contents, field), NUMPY[tensor.datatype])
        found[tensor.name] = values.reshape(tuple(tensor.shape))
    return found


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_vectors_are_those_of_v1_bit_by_bit(server, text, raw):
    reply = server.kserve.ModelInfer(infer([text], raw=raw), timeout=300)
    assert arrays(reply)["embedding"].tobytes() == by_v1(server, [text])
    assert bool(reply.raw_output_contents) is raw
    assert (reply.id, reply.model_name, reply.model_version) == ("7", "tiny", server.model.version)


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_each_text_has_its_tokens_and_whether_it_was_cut(server, shape):
    reply, call = server.kserve.ModelInfer.with_call(infer(["a b", LONG], shape=shape, truncate="end"), timeout=300)
    found = arrays(reply)
    assert list(found) == ["embedding", "tokens", "truncated"]
    assert (found["tokens"].tolist(), found["truncated"].tolist()) == ([4, 128], [False, True])
    assert found["embedding"].shape == (2, 32)
    assert dict(call.trailing_metadata())["x-truncated-texts"] == "1"


def test_outputs_come_as_they_are_asked_for(server):
    reply = server.kserve.ModelInfer(infer(["a"], outputs=["tokens", "embedding"]), timeout=300)
    assert [one.name for one in reply.outputs] == ["tokens", "embedding"]


@pytest.mark.parametrize("cut", ["end", "start"])
def test_parameters_are_those_of_v1(server, cut):
    text = f"b {LONG}c"
    request = infer([text], truncate=cut, normalize=True, dimensions=8, triton_enable_empty_final_response=False)
    reply = server.kserve.ModelInfer(request, timeout=300)
    options = {"truncate": f"TRUNCATE_{cut.upper()}"}
    want = by_v1(server, [text], text_options=options, normalize=True, dimensions=8)
    assert arrays(reply)["embedding"].tobytes() == want


def changed(change, texts=("a",), **fields):
    request = infer(list(texts), **fields)
    change(request)
    return request


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (infer([LONG]), "inputs[0][0] has 402 tokens; limit 128"),
        (infer(["a", CANARY * 400]), "inputs[0][1] has 4400 bytes; limit 4096"),
        (infer(["a", CANARY * 4000], raw=False), "limit"),
        (infer(["a", b"\xff" + CANARY.encode()]), "inputs[0][1] is not UTF-8"),
        (infer([]), "inputs[0].shape: [N] or [N, 1] is needed, N 1..64"),
        (infer(["a"] * 65), "inputs[0].shape: [N] or [N, 1] is needed, N 1..64"),
        (infer(["a"], shape=[1, 2]), "inputs[0].shape"),
        (infer(["a"], shape=[-1]), "inputs[0].shape"),
        (infer(["a"], shape=[1, 1, 1]), "inputs[0].shape"),
        (infer(["a"], shape=[2]), "raw_input_contents[0] has 5 bytes, which are not 2 elements"),
        (infer(["a", "b"], shape=[1]), "raw_input_contents[0] has 10 bytes, which are not 1 elements"),
        (infer(["a"], raw=False, shape=[2]), "bytes_contents has 1 entries; the shape has 2"),
        (infer(["a"], outputs=["logits"]), "outputs[0]: there is no such output; there are: embedding, tokens"),
        (infer(["a"], truncate="middle"), "parameters.truncate: one of none, end, start"),
        (infer(["a"], truncate=True), "parameters.truncate: string_param is needed"),
        (infer(["a"], prompt_name="nope"), "parameters.prompt_name: tiny has no prompt of that name"),
        (infer(["a"], dimensions=0), "parameters.dimensions: got 0; limits 1..32"),
        (infer(["a"], canaryxyzzy=1), "parameters: got one that is not known here; there are: truncate"),
        (changed(lambda r: r.inputs.pop()), "inputs: one is needed, of name text"),
        (changed(lambda r: r.inputs.append(r.inputs[0])), "inputs: one is needed, of name text"),
        (changed(lambda r: setattr(r.inputs[0], "name", CANARY)), "inputs: one is needed, of name text"),
        (changed(lambda r: setattr(r.inputs[0], "datatype", "FP32")), "inputs[0].datatype: BYTES is needed"),
        (changed(lambda r: r.raw_input_contents.append(b"")), "raw_input_contents: one entry is needed"),
        (changed(lambda r: r.raw_input_contents.__setitem__(0, b"\x09\0\0\0a")), "raw_input_contents[0] has 5 bytes"),
        (
            changed(lambda r: r.inputs[0].parameters["shared_memory_region"].MergeFrom(pb.InferParameter())),
            "inputs[0]: tensors take no parameters here, and are in no shared memory",
        ),
    ],
)
def test_what_cannot_be_served_is_invalid_and_named_as_the_contract_does(server, request_, words):
    refused(lambda: server.kserve.ModelInfer(request_, timeout=300), Code.INVALID_ARGUMENT, words)


def test_a_request_of_many_texts_is_taken_and_one_of_too_many_refused_before_it_is_parsed(server):
    texts = ["a " * 100] * 64  # 12.8 kB of text: over 16 kB with what is around it it would be counted first
    reply = server.kserve.ModelInfer(infer([*texts[:-1], "b" * 4000], truncate="end"), timeout=300)
    assert len(arrays(reply)["tokens"]) == 64
    reply = server.kserve.ModelInfer(infer(["c " * 400] * 64, truncate="end", raw=False), timeout=300)
    assert len(arrays(reply)["tokens"]) == 64
    many = infer(["d" * 200] * 5000, raw=False)
    refused(lambda: server.kserve.ModelInfer(many, timeout=300), Code.INVALID_ARGUMENT, "more than 64 entries")


def test_another_model_is_not_found(server):
    request = infer(["a"])
    request.model_name = "nope"
    refused(lambda: server.kserve.ModelInfer(request, timeout=300), Code.NOT_FOUND, "there are: tiny")
    request.model_name, request.model_version = "tiny", "0"
    refused(lambda: server.kserve.ModelInfer(request, timeout=300), Code.NOT_FOUND, "got '0'")


def test_numbers_that_are_not_finite_are_internal(server):
    def poisoned(run, *batch):
        outputs = run(*batch)
        outputs[0][...] = np.nan
        return outputs

    with server.faults.put(poisoned):
        refused(lambda: server.kserve.ModelInfer(infer([CANARY]), timeout=300), Code.INTERNAL, "internal error")


def test_a_stream_answers_in_order_and_tells_errors_in_place(server):
    unknown = infer(["a"])
    unknown.model_name = "nope"
    requests = [infer(["a " * n], outputs=["tokens"]) for n in (1, 2, 400, 3)] + [unknown, infer(["b"])]
    replies = list(server.kserve.ModelStreamInfer(iter(requests), timeout=300))
    told = [
        reply.error_message or int(arrays(reply.infer_response)["tokens"][0]) if reply.infer_response.outputs else
        reply.error_message
        for reply in replies
    ]  # fmt: skip
    assert told[:2] + told[3:4] + told[5:] == [3, 4, 5, 3]
    assert told[2].startswith("INVALID_ARGUMENT: inputs[0][0] has 402 tokens")
    assert told[4].startswith("NOT_FOUND: model 'nope'")
    assert replies[2].infer_response.id == "7"


def test_a_stream_tells_of_bytes_that_are_no_request_and_goes_on(server):
    stream = server.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
    replies = list(stream(iter([b"\xff", infer(["a"]).SerializeToString()]), timeout=300))
    first, second = map(pb.ModelStreamInferResponse.FromString, replies)
    assert first.error_message.startswith("INVALID_ARGUMENT: the request is not valid protobuf")
    assert second.infer_response.outputs
