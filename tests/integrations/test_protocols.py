"""Clients that others wrote, unchanged, each in an environment of its own: `make test-integrations`."""

import json
import subprocess
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest
from bench.lib.server import server
from bench.protocols.clients import GHZ, ghz, perf_analyzer, python_of

from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1 import embedding_service_pb2_grpc

pytestmark = pytest.mark.integrations
PROGRAMS = Path(__file__).parent / "programs"

TEXTS = ("We sat on the bank of the river.", "naïve café", "a")


def of_client(client, library, package):
    """Mark the tests of a library that is in the environment of a client."""
    program = f"from importlib.metadata import version; print(version({package!r}), end='')"
    version = partial(subprocess.check_output, [python_of(client), "-c", program], text=True, timeout=300)
    return pytest.mark.library(library, version=version, pinned_in=f"constraints/client-{client}.txt")


@pytest.fixture(scope="module")
def target(minilm_artifact):
    with server(minilm_artifact, "--protocols", "tei,kserve", "--reflection") as it:
        yield it


def told(client, program, target, *texts):
    command = [python_of(client), PROGRAMS / program, target, *texts]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


def by_v1(target, texts):
    with grpc.insecure_channel(target) as channel:
        stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
        reply = stub.Embed(pb.EmbedRequest(texts=texts), timeout=300)
    return np.frombuffer(reply.embeddings.data, "<f4").reshape(len(texts), -1), [one.tokens for one in reply.texts]


@of_client("tei", "tei-client", "tei-client")
@pytest.mark.parametrize("text", TEXTS)
def test_tei_client_gets_the_vectors_of_v1(target, text):
    found = told("tei", "call_tei.py", target, text)
    vectors, tokens = by_v1(target, [text])
    assert np.array(found["embed"], "<f4").tobytes() == vectors.tobytes()
    assert (found["model"], found["healthy"]) == ("all-MiniLM-L6-v2", True)
    assert found["embed_all"] == [len(one) for one in found["tokens"]] == tokens


@of_client("triton", "tritonclient", "tritonclient")
@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS[1:2]])
def test_tritonclient_gets_the_vectors_of_v1_in_streams_too(target, texts):
    found = told("triton", "call_triton.py", target, *texts)
    vectors, tokens = by_v1(target, texts)
    assert np.array(found["embed"], "<f4").tobytes() == vectors.tobytes()
    assert np.array(found["streamed"], "<f4").tobytes() == vectors.tobytes()
    assert (found["model"], found["ready"], found["tokens"]) == ("all-MiniLM-L6-v2", True, tokens)


@of_client("triton", "perf_analyzer", "tritonclient")
@pytest.mark.parametrize("flags", [(), ("--streaming",)])
def test_perf_analyzer_measures(target, flags):
    assert "Throughput:" in perf_analyzer(target, *flags)


@pytest.mark.library("ghz", version=lambda: GHZ, pinned_in="Makefile")
@pytest.mark.parametrize("call", ["tei.v1.Embed.Embed", "inference.GRPCInferenceService.ModelInfer"])
def test_ghz_gets_ok_alone(target, call):
    assert "[OK]   200 responses" in ghz(target, call, total=200)
