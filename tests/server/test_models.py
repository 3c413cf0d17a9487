"""Several models in one server: routed by name and version, a stated default, fair shares."""

import itertools
import json
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
from tests.conftest import write_tiny_checkpoint
from tests.server.running import refused, running

from polyseme.cli.main import main
from polyseme.client import Client, InvalidArgumentError, NotFoundError
from polyseme.export import ExportOptions, export_model
from polyseme.server.config import ServerConfig
from polyseme.server.errors import ConfigError
from polyseme.server.models.directories import open_artifacts
from polyseme.server.models.registry import default_of
from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2

NOT_FOUND = grpc.StatusCode.NOT_FOUND
TEXTS = ["a b c", "hello there", "x"]


@pytest.fixture(scope="module")
def folder(tiny_artifact, tmp_path_factory):
    """A models directory: two versions of "tiny" (32 and 64 wide), and "wide" (48 wide)."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(tiny_artifact, folder / "a-tiny")
    for name, directory, width in (("tiny", "b-tiny", 64), ("wide", "c-wide", 48)):
        source = write_tiny_checkpoint(folder.parent / f"source-{width}", hidden_size=width)
        export_model(str(source), folder / directory, ExportOptions(name=name))
    return folder


@pytest.fixture(scope="module")
def artifacts(folder):
    return [folder / name for name in ("a-tiny", "b-tiny", "c-wide")]


@pytest.fixture(scope="module")
def several(artifacts):
    with running(*artifacts) as server:
        yield server


def request_of(texts=TEXTS, name="", version="", **options):
    ref = common_pb2.ModelRef(name=name, version=version)
    return embedding_service_pb2.EmbedRequest(texts=texts, model=ref, **options)


def embed(server, *texts, **options):
    return server.embedding.Embed(request_of(*texts, **options), timeout=300)


def models(server):
    return list(server.models.ListModels(model_service_pb2.ListModelsRequest(), timeout=300).models)


def keys(server):
    return [(model.identity.name, model.identity.version) for model in models(server)]


def test_each_name_and_version_is_routed_to_its_model(several):
    assert [model.hidden_size for model in models(several)] == [32, 64, 48]
    for model in models(several):
        reply = embed(several, name=model.identity.name, version=model.identity.version)
        assert reply.model == model.identity
        assert reply.embeddings.shape[1] == model.hidden_size


def test_the_first_of_a_name_is_its_default(several):
    assert embed(several).embeddings.shape[1] == 32
    assert embed(several, name="tiny").embeddings.shape[1] == 32
    assert embed(several, name="wide").embeddings.shape[1] == 48
    assert [model.is_default for model in models(several)] == [True, False, False]


def test_the_sdk_asks_for_a_version(several, capsys):
    (_, first), (_, second), _ = keys(several)
    with Client(several.target, model=f"tiny@{second}") as client:
        assert client.embed("a").shape == (64,)
        assert client.embed("a", model=f"tiny@{first}").shape == (32,)
        assert client.embed("a", model=f"@{second}").shape == (64,)
        assert client.embed("a", model="wide").shape == (48,)
        assert client.embed_words("a b", words=["b"]).vectors.shape == (1, 64)
        assert next(iter(client.embed_stream(["a"]))).shape == (64,)
        assert client.model(f"tiny@{first}").identity.version == first
        with pytest.raises(NotFoundError, match=f"served in version {first}, {second}"):
            client.embed("a", model="tiny@000000000000")
        with pytest.raises(InvalidArgumentError):
            client.embed("a", model=5)
    assert main(["embed", "a", "--target", several.target, "--model", f"tiny@{second}"]) == 0
    assert len(json.loads(capsys.readouterr().out)["embedding"]) == 64


def test_a_version_without_a_name_is_one_of_the_default_name(several):
    (_, second), (_, wide) = keys(several)[1:]
    assert embed(several, version=second).embeddings.shape[1] == 64
    refused(lambda: embed(several, version=wide), NOT_FOUND, "tiny", wide)


def test_what_is_unknown_is_not_found_with_what_there_is(several):
    (_, first), (_, second), _ = keys(several)
    details = refused(lambda: embed(several, name="nope"), NOT_FOUND, "'nope'").details()
    assert details.endswith("there are: tiny, wide")
    refused(lambda: embed(several, name="tiny", version="000"), NOT_FOUND, first, second, "'000'")
    ref = common_pb2.ModelRef(name="nope")
    request = model_service_pb2.GetModelRequest(model=ref)
    refused(lambda: several.models.GetModel(request, timeout=300), NOT_FOUND, "tiny, wide")


def test_the_default_can_be_chosen_by_name_or_version(artifacts, several):
    second = keys(several)[1][1]
    with running(*artifacts, default_model="wide") as server:
        assert [name for name, _ in keys(server)] == ["wide", "tiny", "tiny"]
        assert embed(server).embeddings.shape[1] == 48
        assert embed(server, name="tiny").embeddings.shape[1] == 32
    with running(*artifacts, default_model=f"tiny@{second}") as server:
        assert embed(server).embeddings.shape[1] == 64
        assert embed(server, name="tiny").embeddings.shape[1] == 64
        assert models(server)[0].is_default


KEYS = [("tiny", "1"), ("tiny", "2"), ("wide", "1")]


@pytest.mark.parametrize("asked", ["nope", "tiny@3", "wide@2"])
def test_a_default_that_is_not_there_is_refused(asked):
    with pytest.raises(ConfigError, match="--default-model") as error:
        default_of(KEYS, asked)
    assert asked in str(error.value)
    assert "there are: tiny@1, tiny@2, wide@1" in str(error.value)


def test_one_model_twice_is_refused():
    with pytest.raises(ConfigError, match="tiny@1 is given twice"):
        default_of([*KEYS, KEYS[0]], "")


def test_a_folder_stands_for_the_artifacts_in_it(folder, artifacts, tmp_path, caplog):
    shutil.copytree(folder, tmp_path / "models")
    (tmp_path / "models/half-copied").mkdir()
    (tmp_path / "models/.under-way").mkdir()
    opened = open_artifacts([tmp_path / "models", artifacts[0]])
    assert [artifact.directory.name for artifact in opened] == ["a-tiny", "b-tiny", "c-wide", "a-tiny"]
    assert [record.message.rpartition("/")[2] for record in caplog.records] == ["half-copied has no manifest.json"]


def test_a_folder_of_nothing_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"has no manifest\.json, and no folder that has one$"):
        open_artifacts([tmp_path])


def test_info_tells_all_models_and_their_memory(several, capsys):
    assert main(["info", "--target", several.target]) == 0
    out = capsys.readouterr().out
    assert out.count("tiny (default)") == 1
    assert out.count("weights") == 3
    assert all(model.weight_bytes for model in models(several))
    assert len({model.weight_bytes for model in models(several)}) == 3


def test_models_share_the_runners_of_one_model(several):
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("runner-")]
    schedulers = [model.engine.scheduler for model in several.app.registry.models]
    assert len({id(scheduler.pool) for scheduler in schedulers}) == 1
    assert len(names) >= schedulers[0].pool.threads == several.model.engine.info.runners


def test_default_model_is_a_setting_of_the_environment():
    assert ServerConfig.from_sources({}, {"POLYSEME_DEFAULT_MODEL": "a@b"}).default_model == "a@b"


def test_a_flood_of_one_model_does_not_hold_up_the_other_and_replies_never_mix(artifacts):
    """One thread: a bulk flood of `tiny`, single calls of `wide` meanwhile."""
    long = ["a b c d e f g h i j k l m n o p " * 3] * 1000
    with running(artifacts[0], artifacts[2], runners=1) as server:
        alone = {name: embed(server, name=name).embeddings.data for name in ("tiny", "wide")}
        wide = server.app.registry.models.find("wide", "").engine
        standing, go, over = threading.Event(), threading.Event(), threading.Event()

        def stand(name):
            """The flood stands while no call of `wide` waits, however long this test is away."""
            if name == "tiny" and not over.is_set():
                standing.set()
                assert go.wait(300)
                standing.clear()
            elif name == "wide" and not wide.queued_texts:
                go.clear()

        batches = watch(server, stand)
        flood = threading.Thread(
            target=lambda: [embed(server, long, "tiny", priority=common_pb2.PRIORITY_BULK) for _ in "ab"]
        )
        flood.start()
        for _ in range(20):
            assert standing.wait(300)
            call = server.embedding.Embed.future(request_of(name="wide"), timeout=300)
            while not wide.queued_texts:
                time.sleep(0.001)
            go.set()
            assert call.result().embeddings.data == alone["wide"]
        during = list(batches)
        assert flood.is_alive()
        over.set()
        go.set()
        mixed = embed(server, name="tiny").embeddings.data
        flood.join(300)
    assert during.count("wide") >= 20
    assert during.count("tiny") <= 20 * 10, "each call waited for the batches under way, not for the flood"
    np.testing.assert_allclose(np.frombuffer(mixed, "<f4"), np.frombuffer(alone["tiny"], "<f4"), atol=1e-5)


def test_two_flooded_models_alternate(artifacts):
    long = ["a b c d e f g h i j k l m n o p " * 3] * 400
    with running(artifacts[0], artifacts[2], runners=1) as server:
        batches = watch(server)
        # A batch costs the same whatever the machine does meanwhile; ahead of the clock, so that all is due.
        ticks = itertools.count(time.monotonic() + 100, 0.001)
        server.model.engine.scheduler.pool.clock = lambda: next(ticks)
        floods = [threading.Thread(target=embed, args=(server, long, name)) for name in ("tiny", "wide")]
        with server.faults.held():
            for flood in floods:
                flood.start()
            while not all(model.engine.queued_texts for model in server.app.registry.models):
                time.sleep(0.001)
        for flood in floods:
            flood.join(300)
    both = batches[batches.index("wide") : len(batches) - batches[::-1].index("tiny")]
    turns = sum(first != second for first, second in itertools.pairwise(both))
    assert both.count("tiny") >= 20
    assert both.count("wide") >= 20
    assert turns >= 0.3 * len(both), both


def watch(server, before=lambda name: None):
    """The names of the models whose batches run, in order; before each run something is called with it."""
    batches = []
    for model in server.app.registry.models:
        inner = model.engine.scheduler._run

        def run(entries, inner=inner, name=model.manifest.name, **alone):
            batches.append(name)
            before(name)
            return inner(entries, **alone)

        model.engine.scheduler._run = run
    return batches
