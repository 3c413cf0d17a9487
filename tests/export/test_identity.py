import dataclasses
import shutil

import pytest

from polyseme.artifact import own_version
from polyseme.export.errors import SourceError
from polyseme.export.identity import exporter_version, source_hash
from polyseme.export.reading.source import locate


def test_a_copy_of_the_same_name_has_the_same_hash(tiny_checkpoint, tmp_path):
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    (copy / "README.md").write_text("not read by export")
    assert source_hash(locate(str(copy))) == source_hash(locate(str(tiny_checkpoint)))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "1_Pooling/config.json", "vocab.txt"])
def test_every_file_that_export_reads_counts(tiny_checkpoint, tmp_path, name):
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    (copy / name).parent.mkdir(exist_ok=True)
    with (copy / name).open("ab") as file:
        file.write(b" ")
    assert source_hash(locate(str(copy))) != source_hash(locate(str(tiny_checkpoint)))


@pytest.mark.parametrize("change", [{"name": "other"}, {"spec": "hf:some/tiny@c0ffee"}])
def test_what_the_manifest_says_of_its_source_counts(tiny_checkpoint, change):
    located = locate(str(tiny_checkpoint))
    assert source_hash(dataclasses.replace(located, **change)) != source_hash(located)


def test_a_file_that_cannot_be_read_is_an_error(tiny_checkpoint, tmp_path, monkeypatch):
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")

    def unreadable(*_):
        raise PermissionError(13, "Permission denied", str(copy / "config.json"))

    monkeypatch.setattr("hashlib.file_digest", unreadable)
    with pytest.raises(SourceError, match=r"tiny/config.json: Permission denied"):
        source_hash(locate(str(copy)))


def test_the_exporters_version_changes_with_its_code(tmp_path, monkeypatch):
    assert exporter_version().startswith(f"{own_version()}-")
    before = exporter_version()
    (tmp_path / "later.py").write_text("")
    monkeypatch.setattr("polyseme.runtime.__path__", [str(tmp_path)])
    assert exporter_version() != before
