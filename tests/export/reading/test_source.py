import shutil
import socket
import sys
import threading
import types

import pytest

from polyseme.export import SourceError
from polyseme.export.reading import source as module
from polyseme.export.reading.source import locate

SHA = "0123456789abcdef0123456789abcdef01234567"


def refusal(source):
    with pytest.raises(SourceError) as caught:
        locate(source)
    assert str(caught.value).isprintable()
    return str(caught.value)


def make_package(root, name, *models):
    """A package that must not be imported, with models inside."""
    (root / name).mkdir(parents=True)
    (root / name / "__init__.py").write_text("raise RuntimeError('imported')")
    for model in models:
        (root / name / model).mkdir(parents=True)
        for file in ("config.json", "model.safetensors"):
            (root / name / model / file).write_text("{}")
    return root / name


def test_a_directory_is_named_without_its_path(tmp_path):
    (tmp_path / "my-bert").mkdir()
    located = locate(str(tmp_path / "my-bert"))
    assert (tmp_path / "my-bert", "directory:my-bert", "my-bert") == (located.directory, located.spec, located.name)


def test_no_such_directory(tmp_path):
    assert "is not a directory; for a model of a hub write hf:ID" in refusal(str(tmp_path / "no"))


@pytest.mark.parametrize("source", ["", "package:"])
def test_an_empty_source_does_not_search_the_working_directory(source, tmp_path, monkeypatch):
    make_package(tmp_path, "some_model", "model")
    monkeypatch.chdir(tmp_path)
    assert "SOURCE is empty" in refusal(source)


def test_an_installed_package_is_found_and_not_imported(tmp_path, monkeypatch):
    make_package(tmp_path, "wheel_with_model", "model")
    monkeypatch.syspath_prepend(tmp_path)
    located = locate("package:wheel_with_model")
    assert tmp_path / "wheel_with_model" / "model" == located.directory
    assert located.spec == "package:wheel_with_model"
    assert "wheel_with_model" not in sys.modules


def test_an_installed_distribution_is_found_by_its_own_name(tmp_path, monkeypatch):
    make_package(tmp_path, "its_import_name", "model")
    info = tmp_path / "its_own_name-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: its-own-name\nVersion: 1.0\n")
    (info / "RECORD").write_text("its_import_name/model/config.json,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert tmp_path / "its_import_name" / "model" == locate("package:its-own-name").directory


def test_an_unpacked_package_is_found_by_its_folder(tmp_path):
    package = make_package(tmp_path, "unpacked", "model")
    located = locate(f"package:{package}")
    assert (located.spec, located.name) == ("package:unpacked", "unpacked")
    assert package / "model" == located.directory


def test_several_models_in_a_package_are_named(tmp_path):
    package = make_package(tmp_path, "two", "models/a", "models/b")
    message = refusal(f"package:{package}")
    assert "has 2 checkpoints (two/models/a, two/models/b): give one as a directory" in message


def test_a_module_inside_a_model_is_not_another_model(tmp_path):
    package = make_package(tmp_path, "dense", "model", "model/2_Dense")
    assert package / "model" == locate(f"package:{package}").directory


def test_a_model_whose_encoder_has_a_folder_of_its_own_is_one(tmp_path):
    package = make_package(tmp_path, "folders", "model/0_Transformer", "model/2_Dense")
    (package / "model" / "modules.json").write_text("[]")
    assert package / "model" == locate(f"package:{package}").directory


def test_a_package_without_a_model(tmp_path):
    assert "has no folder with config.json" in refusal(f"package:{make_package(tmp_path, 'empty')}")


@pytest.mark.parametrize("name", ["no_such_package_here", "no.such.package", "../x y", "-", "sys", "a\0b"])
def test_a_package_that_is_not_there(name):
    assert "is not installed here, and is not a directory" in refusal(f"package:{name}")


def test_a_module_without_a_spec_is_no_package(monkeypatch):
    """Such as __main__: importlib raises ValueError for it."""
    monkeypatch.setitem(sys.modules, "no_spec_here", types.ModuleType("no_spec_here"))
    assert "is not installed here" in refusal("package:no_spec_here")


@pytest.mark.parametrize("source", ["hf:", "hf:../x y", "hf:a/b/c"])
def test_what_is_no_id_of_a_hub(source):
    assert "is not a model id: write hf:OWNER/NAME" in refusal(source)


@pytest.fixture
def silent_hub(monkeypatch):
    """A hub that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", endpoint)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        yield server


def test_a_hub_that_does_not_answer_is_given_up(silent_hub, monkeypatch):
    monkeypatch.setattr(module, "_PROBE_S", 0.1)
    message = refusal("hf:some/model@main")
    assert message.startswith("hf:some/model@main cannot be fetched (")
    assert "a local directory, or package:NAME" in message


@pytest.fixture
def cache(monkeypatch, tmp_path, tiny_checkpoint):
    """The hub's cache with one model, as its client lays it down."""
    root = tmp_path / "hub" / "models--some--model"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(SHA)
    shutil.copytree(tiny_checkpoint, root / "snapshots" / SHA)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return root / "snapshots" / SHA


def unreachable(*_, **__):
    raise ConnectionError


@pytest.mark.parametrize("revision", ["", "@main", f"@{SHA}"])
def test_a_model_in_the_cache_is_found_where_the_hub_is_not(cache, monkeypatch, revision):
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    located = locate("hf:some/model" + revision)
    assert (located.spec, located.name) == (f"hf:some/model@{SHA}", "model")
    assert cache == located.directory
    assert located.note.endswith("has no modules.json: if the model has one, how it pools is not known here")
    (cache / "modules.json").write_text("[]")
    assert locate("hf:some/model" + revision).note == f"some/model@{SHA[:12]} is from the hub's cache"


def test_a_commit_in_the_cache_is_not_asked_for(cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: pytest.fail("asked"))
    assert cache == locate(f"hf:some/model@{SHA}").directory


def test_what_the_cache_has_only_the_name_of_is_not_there(cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    (cache / "model.safetensors").unlink()
    assert "hf:some/model cannot be fetched (ConnectionError)" in refusal("hf:some/model")
    assert "cannot be fetched" in refusal("hf:some/other")
    assert "cannot be fetched" in refusal("hf:some/model@other-branch")


def test_a_question_that_hangs_is_given_up_in_less_than_15_s(monkeypatch):
    assert module._GIVE_UP_S < 15
    monkeypatch.setattr(module, "_GIVE_UP_S", 0.05)
    never = threading.Event()
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: never.wait())
    assert "cannot be fetched (TimeoutError)" in refusal("hf:some/model")
    never.set()


def test_a_hub_that_refuses_connections_names_the_alternatives(silent_hub):
    silent_hub.close()
    assert "a local directory, or package:NAME" in refusal("hf:some/model")


def test_a_model_of_a_hub_is_pinned_to_its_commit(monkeypatch, tmp_path, tiny_checkpoint):
    shutil.copytree(tiny_checkpoint, tmp_path / "snapshot")
    asked = {}

    class Api:
        def model_info(self, repository, *, revision, timeout):
            asked["info"] = (repository, revision)
            return type("Info", (), {"sha": "c0ffee"})

    def download(repository, *, revision, allow_patterns):
        asked["download"] = (repository, revision, allow_patterns)
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    located = locate("hf:some/model@main")
    assert (located.spec, located.name) == ("hf:some/model@c0ffee", "model")
    assert asked["info"] == ("some/model", "main")
    assert not [pattern for pattern in asked["download"][2] if pattern.endswith((".bin", ".pt", "*"))]
