"""Artifacts that change under a running server."""

import shutil
import signal
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest
from tests.conftest import write_tiny_checkpoint
from tests.server.running import refused, running
from tests.server.socket_engine import SocketEngines

from polyseme.artifact import Artifact, ArtifactError
from polyseme.client import Client
from polyseme.export import ExportOptions, export_model
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.server.engine.local import LocalEngines
from polyseme.server.errors import ConfigError
from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2

TEXT = "a bank by the river"


@pytest.fixture(scope="module")
def versions(tiny_artifact, tmp_path_factory):
    """Two versions of "tiny", 32 and 64 wide."""
    folder = tmp_path_factory.mktemp("versions")
    source = write_tiny_checkpoint(folder / "source", hidden_size=64)
    export_model(str(source), folder / "wide", ExportOptions(name="tiny"))
    return [tiny_artifact, folder / "wide"]


def put(artifact, place):
    """Let another artifact have its place, as export --force does."""
    shutil.copytree(artifact, place.with_name(".new"))
    if place.exists():
        place.rename(place.with_name(".old"))
    place.with_name(".new").rename(place)
    shutil.rmtree(place.with_name(".old"), ignore_errors=True)


def reload(server):
    server.on_loop(server.app.reload())


def served(server):
    reply = server.models.ListModels(model_service_pb2.ListModelsRequest(), timeout=300)
    return [(model.identity.version, model.hidden_size, model.is_default) for model in reply.models]


def version_of(artifact):
    return Artifact.open(artifact).manifest.version


@pytest.mark.parametrize("make_engines", [LocalEngines, SocketEngines])
def test_no_call_fails_and_none_mixes_two_models(versions, tmp_path, make_engines):
    """Each reply is that of the model that it names."""
    place, stop, replies, failures = tmp_path / "model", threading.Event(), [], []
    put(versions[0], place)
    with running(place, make_engines=make_engines) as server:
        expected = {}

        def call():
            try:
                with Client(server.target) as client:
                    while not stop.is_set():
                        result = client.embed_detailed([TEXT] * 3)
                        replies.append((result.model.version, result.embeddings))
            except Exception as error:
                failures.append(error)

        for turn in range(2):
            with Client(server.target) as client:
                expected[version_of(versions[turn])] = client.embed(TEXT)
            put(versions[1 - turn], place)
            reload(server)
        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for turn in range(10):
            put(versions[1 - turn % 2], place)
            reload(server)
        stop.set()
        for caller in callers:
            caller.join()
    assert not failures
    assert len({version for version, _ in replies}) == 2
    for version, vectors in replies:
        np.testing.assert_allclose(vectors, np.stack([expected[version]] * 3), atol=1e-5)


def test_a_stream_keeps_its_model_until_it_ends(versions, tmp_path):
    place = tmp_path / "model"
    put(versions[0], place)
    first, second = map(version_of, versions)
    sent, go = threading.Event(), threading.Event()
    request = embedding_service_pb2.StreamEmbedRequest(embed=embedding_service_pb2.EmbedRequest(texts=[TEXT]))

    def requests():
        yield request
        sent.set()
        assert go.wait(300)
        yield request

    with running(place) as server:
        replies = server.embedding.StreamEmbed(requests(), timeout=300)
        assert next(replies).embed.model.version == first
        old = server.model
        put(versions[1], place)
        reloading = threading.Thread(target=reload, args=[server])
        reloading.start()
        while server.app.registry.models.default.version == first:
            time.sleep(0.01)
        reply = server.embedding.Embed(request.embed, timeout=300)
        assert (reply.model.version, reply.embeddings.shape[1]) == (second, 64)
        assert old.engine.engine.sessions, "the stream needs it"
        go.set()
        assert [(one.embed.model.version, one.embed.embeddings.shape[1]) for one in replies] == [(first, 32)]
        reloading.join(300)
        assert not reloading.is_alive()
        assert not old.engine.engine.sessions, "and nobody after it"
        metrics = server.app._metrics.registry
        assert metrics.get_sample_value("polyseme_tokens_total", {"model": "tiny", "version": second}) > 0
        assert metrics.get_sample_value("polyseme_tokens_total", {"model": "tiny", "version": first}) is None


def test_what_cannot_be_had_changes_nothing(versions, tmp_path):
    place = tmp_path / "model"
    put(versions[0], place)
    with running(place) as server:
        before = served(server)
        put(versions[1], place)
        weights = place / "weights.fp32.bin"
        content = bytearray(weights.read_bytes())
        content[100] ^= 1
        weights.write_bytes(content)
        with pytest.raises(ArtifactError, match="changed after export"):
            reload(server)
        shutil.rmtree(place)
        with pytest.raises(ArtifactError, match="not a directory"):
            reload(server)
        assert served(server) == before
        reply = server.embedding.Embed(embedding_service_pb2.EmbedRequest(texts=[TEXT]), timeout=300)
        assert reply.embeddings.shape[1] == 32
        put(versions[1], place)
        reload(server)
        assert served(server) == [(version_of(versions[1]), 64, True)]


def test_models_come_and_go(versions, tmp_path):
    places = [tmp_path / "one", tmp_path / "two"]
    put(versions[0], places[0])
    first, second = map(version_of, versions)
    with running(places[0], default_model="tiny") as server:
        kept = server.model
        server.app._models._find_artifacts = lambda: [Artifact.open(place) for place in places if place.exists()]
        put(versions[1], places[1])
        reload(server)
        assert served(server) == [(first, 32, True), (second, 64, False)]
        assert server.model is kept, "what is served already is not loaded again"
        shutil.rmtree(places[0])
        reload(server)
        assert served(server) == [(second, 64, True)]
        asked = embedding_service_pb2.EmbedRequest(texts=[TEXT], model=common_pb2.ModelRef(version=first))
        refused(lambda: server.embedding.Embed(asked, timeout=300), grpc.StatusCode.NOT_FOUND, first)
        server.app._models._find_artifacts = lambda: [Artifact.open(places[1])] * 2
        with pytest.raises(ConfigError, match="is given twice"):
            reload(server)


def test_sighup(versions, tmp_path):
    place = tmp_path / "model"
    put(versions[0], place)
    command = [sys.executable, "-m", "polyseme.cli.main", "serve", str(place), "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen([*command, "--metrics-port", "0"], stderr=subprocess.PIPE, text=True)
    limit = threading.Timer(300, process.kill)
    limit.start()

    def wait_for(text):
        for line in process.stderr:
            if text in line:
                return line
        raise AssertionError(text)

    try:
        line = wait_for("serving tiny@")
        target = "127.0.0.1:" + line.partition("127.0.0.1:")[2].split()[0]
        with Client(target) as client:
            assert client.embed(TEXT).shape == (32,)
            (place / "manifest.json").write_text("{")
            process.send_signal(signal.SIGHUP)
            assert wait_for("NOT RELOADED").count("manifest") == 1
            assert client.embed(TEXT).shape == (32,)
            put(versions[1], place)
            process.send_signal(signal.SIGHUP)
            wait_for("no longer served: tiny@" + version_of(versions[0]))
            assert client.embed(TEXT).shape == (64,)
        process.send_signal(signal.SIGTERM)
        wait_for("stopped")
        assert process.wait(300) == 0
    finally:
        limit.cancel()
        process.kill()
        process.wait()
        process.stderr.close()


def test_an_engine_with_lanes_gives_them_back(tiny_checkpoint, tiny_artifact, tmp_path):
    from tests.packed import cpu_graphs, packed_fp32
    from tests.server.test_packed import FP32

    before = set(threading.enumerate())
    artifact = packed_fp32(tiny_checkpoint, tiny_artifact, tmp_path / "packed")
    engine = PackedEngine(artifact, [FP32], cpu_graphs=cpu_graphs(artifact, FP32))
    lanes = set(threading.enumerate()) - before
    assert len(lanes) == engine.traits.lanes == 2
    engine.close()
    for lane in lanes:
        lane.join(300)
        assert not lane.is_alive()
