"""Servers that speak tei.v1, each over another default model."""

from types import SimpleNamespace

import grpc
import pytest
from tests.export.encoders.architectures.test_heads import FP32, checkpoint
from tests.server.running import running

from polyseme.export import export_model
from polyseme.protocols.tei import tei_pb2_grpc


def stubs(server):
    """The stubs of the contract, made from polyseme's own copy."""
    channel = server.channel
    return SimpleNamespace(
        server=server,
        info=tei_pb2_grpc.InfoStub(channel),
        embed=tei_pb2_grpc.EmbedStub(channel),
        predict=tei_pb2_grpc.PredictStub(channel),
        rerank=tei_pb2_grpc.RerankStub(channel),
        tokenize=tei_pb2_grpc.TokenizeStub(channel),
    )


@pytest.fixture(scope="module")
def tei(tiny_artifact):
    with running(tiny_artifact, protocols="tei", max_texts=64, max_text_bytes=4096) as server:
        yield stubs(server)


@pytest.fixture(scope="session")
def head_artifact(tmp_path_factory):
    """Exports a checkpoint with a head, once each."""
    folder, made = tmp_path_factory.mktemp("tei-heads"), {}

    def artifact(name):
        if name not in made:
            made[name] = folder / "out" / name
            export_model(str(checkpoint(name, folder)), made[name], FP32)
        return made[name]

    return artifact


@pytest.fixture(scope="session")
def serving_head(head_artifact):
    """Starts a server whose default model has a head."""

    def serve(name):
        return running(head_artifact(name), protocols="tei", max_texts=16, max_text_bytes=4096)

    return serve


def trailer(call, name):
    return dict(call.trailing_metadata()).get(name)


def status_of(call):
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value
