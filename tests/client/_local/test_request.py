import os
import shutil

import pytest

from polyseme.client._local.request import request_for
from polyseme.client.errors import InvalidArgumentError, MissingDependencyError


@pytest.fixture
def artifact(tmp_path):
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact/manifest.json").write_text("{}")
    return tmp_path / "artifact"


def key(source, **settings):
    return request_for(source, settings).key


def test_settings_are_flags(artifact):
    settings = {"max_batch_tokens": 512, "max_wait_ms": 0.5, "device": "cpu", "reflection": True, "access_log": False}
    flags = ("--max-batch-tokens=512", "--max-wait-ms=0.5", "--device=cpu", "--reflection")
    assert request_for(artifact, settings).flags == flags


def test_the_same_has_the_same_key(artifact, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(artifact)
    monkeypatch.chdir(tmp_path)
    assert key("artifact", runners=1, device="cpu") == key(tmp_path / "link", device="cpu", runners=1)


def test_another_server_has_another_key(artifact, tmp_path, monkeypatch):
    keys = {key(artifact), key(artifact, runners=1), key(artifact, runners=2), key("hf:some/model")}
    keys.add(key(shutil.copytree(artifact, tmp_path / "other")))
    (artifact / "manifest.json").write_text('{"version": 2}')
    keys.add(key(artifact))
    monkeypatch.setattr("polyseme.client._local.request._version", lambda: "next")
    keys.add(key(artifact))
    assert len(keys) == 7


def test_a_folder_of_artifacts_has_another_key_when_one_is_replaced(artifact):
    before = key(artifact.parent)
    (artifact / "manifest.json").write_text('{"version": 2}')
    assert key(artifact.parent) != before


def test_a_package_whose_weights_change_has_another_key(tmp_path, monkeypatch):
    (tmp_path / "carrier").mkdir()
    (tmp_path / "carrier/__init__.py").touch()
    weights = tmp_path / "carrier/model.safetensors"
    weights.write_bytes(b"1")
    monkeypatch.syspath_prepend(tmp_path)
    before = key("package:carrier"), key(f"package:{tmp_path / 'carrier'}")
    os.utime(weights, ns=(0, 0))
    assert not set(before) & {key("package:carrier"), key(f"package:{tmp_path / 'carrier'}")}


def test_a_file_of_settings_is_told_apart_by_its_place_and_its_text(artifact, tmp_path, monkeypatch):
    """Programs in two folders may both say config="settings.toml"."""
    keys = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        for text in ("runners = 1", "runners = 2"):
            (tmp_path / name / "settings.toml").write_text(text)
            keys.add(key(artifact, config="settings.toml"))
        assert key(artifact, config=str(tmp_path / name / "settings.toml")) in keys
        assert request_for(artifact, {"cache": "c"}).flags == (f"--cache={tmp_path / name}/c",)
    assert len(keys) == 4
    assert key(artifact, config="none.toml") not in keys, "the server says that it is not there"


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (None, {}, "source must be a directory, 'hf:ID' or 'package:NAME', got NoneType"),
        ("", {}, "source must be a directory, 'hf:ID' or 'package:NAME', got ''"),
        ("x", {"port": 1}, "port is no setting of a local server: it has a private socket"),
        ("x", {"lis": "unix:/x"}, "lis is no setting of a local server: it has a private socket"),
        ("x", {"users-lock": "/x"}, "users-lock is no setting of a local server: it has a private socket"),
        ("x", {"runners": [1]}, "runners must be text, a number or a bool, got list"),
        ("x", {"device": "c\0u"}, "device holds a NUL, or is no Unicode"),
        ("x", {"device": "\ud800"}, "device holds a NUL, or is no Unicode"),
        ("x", {"de\0vice": 1}, "a setting's name holds a NUL, or is no Unicode"),
        ("x\0", {}, "source holds a NUL, or is no Unicode"),
        ("\ud800", {}, "source holds a NUL, or is no Unicode"),
        ("package:a\0b", {}, "source holds a NUL, or is no Unicode"),
        ("a" * 5000, {}, "source cannot be read: File name too long"),
        ("package:" + "a/" * 5000, {}, "source cannot be read: File name too long"),
    ],
)
def test_what_cannot_be_asked_for(source, settings, message):
    with pytest.raises(InvalidArgumentError) as caught:
        _ = request_for(source, settings).key
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("source", "missing", "extra"),
    [("x", "onnxruntime", "server"), ("package:x", "onnxruntime", "server,export"), ("hf:x", "onnx", "server,export")],
)
def test_a_missing_extra_is_named(source, missing, extra, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else object())
    message = rf"a local server needs {missing}, which is not installed: pip install 'polyseme\[{extra}\]'"
    with pytest.raises(MissingDependencyError, match=message):
        request_for(source, {})
