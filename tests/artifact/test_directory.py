import os
import random

import numpy as np
import pytest
from tests.artifact.samples import CONTENT, manifest, write

from polyseme.artifact import (
    Artifact,
    ArtifactError,
    ArtifactWriter,
    CorruptArtifactError,
    InvalidManifestError,
    MissingFileError,
    Precision,
)

FILES = (*CONTENT, "manifest.json")


@pytest.fixture
def artifact(tmp_path):
    return write(tmp_path / "artifact").directory


def refusal(directory, kind=ArtifactError):
    with pytest.raises(kind) as caught:
        Artifact.open(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_open_gives_what_was_written(tmp_path):
    written = write(tmp_path / "a" / "b")
    opened = Artifact.open(tmp_path / "a" / "b")
    assert written.manifest == opened.manifest
    assert sorted(FILES) == sorted(path.name for path in opened.directory.iterdir())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_weights_are_views_of_the_file(artifact):
    opened = Artifact.open(artifact)
    weights = opened.weights(Precision.FP32)
    assert {name: values.shape for name, values in weights.items()} == {"a": (2, 3), "b": (4,)}
    assert np.frombuffer(CONTENT["weights.fp32.bin"], "<f4", 4, 64).tobytes() == weights["b"].tobytes()
    assert not weights["a"].flags.writeable


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused(artifact, name):
    content = (artifact / name).read_bytes()
    places = random.Random(name)
    for _ in range(20):
        at, bit = places.randrange(len(content)), places.randrange(8)
        flipped = bytearray(content)
        flipped[at] ^= 1 << bit
        (artifact / name).write_bytes(flipped)
        refusal(artifact)
    (artifact / name).write_bytes(content)
    Artifact.open(artifact)


@pytest.mark.parametrize("name", CONTENT)
def test_a_truncated_file_is_refused(artifact, name):
    content = (artifact / name).read_bytes()
    (artifact / name).write_bytes(content[:-1])
    expected = f"{artifact / name}: {len(content) - 1} bytes; manifest says {len(content)}"
    assert expected == refusal(artifact, CorruptArtifactError)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(artifact, name):
    (artifact / name).unlink()
    assert name in refusal(artifact, MissingFileError)


def test_a_changed_file_of_the_same_size_is_refused(artifact):
    (artifact / "embed.fp32.onnx").write_bytes(b"EMBED")
    assert "changed after export" in refusal(artifact, CorruptArtifactError)


def test_a_directory_in_place_of_a_file_is_refused(artifact):
    (artifact / "tokenizer.json").unlink()
    (artifact / "tokenizer.json").mkdir()
    refusal(artifact)


def test_a_link_that_leads_out_is_refused(artifact, tmp_path):
    outside = tmp_path / "outside"
    (artifact / "tokenizer.json").rename(outside)
    (artifact / "tokenizer.json").symlink_to(outside)
    assert "leads out of the artifact" in refusal(artifact, CorruptArtifactError)


@pytest.mark.parametrize("name", FILES)
def test_a_loop_of_links_is_refused(artifact, name):
    (artifact / name).unlink()
    (artifact / name).symlink_to(name)
    assert "Too many levels of symbolic links" in refusal(artifact)


def test_a_huge_manifest_is_not_read(artifact):
    os.truncate(artifact / "manifest.json", 1 << 30)
    assert "1073741824 bytes; limit" in refusal(artifact, CorruptArtifactError)


def test_no_directory_says_how_to_make_one(tmp_path):
    assert "polyseme export" in refusal(tmp_path / "nothing", MissingFileError)
    assert "polyseme export" in refusal(tmp_path, MissingFileError)


def test_leaving_without_commit_leaves_nothing(tmp_path):
    def interrupted():
        with ArtifactWriter(tmp_path / "a") as writer:
            (writer.directory / "weights").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_nobody_could_read_is_not_written(tmp_path):
    with pytest.raises(InvalidManifestError, match="is not a plain name"):
        write(tmp_path / "a", name="no name!")
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_is_replaced_only_when_asked(artifact, tmp_path):
    with pytest.raises(ArtifactError, match="holds an artifact already: --force replaces it"):
        write(artifact, name="other")
    assert Artifact.open(artifact).manifest.name == "sample"
    write(artifact, name="other", replace=True)
    assert Artifact.open(artifact).manifest.name == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_what_is_no_artifact_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with pytest.raises(ArtifactError, match="exists and is not an artifact"):
        ArtifactWriter(tmp_path / "home", replace=True)
    with pytest.raises(ArtifactError, match="is a file"):
        ArtifactWriter(tmp_path / "home" / "letter", replace=True)
    assert (tmp_path / "home" / "letter").read_text() == "dear"


def test_a_replacement_that_fails_leaves_the_old_one(artifact, tmp_path, monkeypatch):
    with ArtifactWriter(artifact, replace=True) as writer:
        for name, data in CONTENT.items():
            (writer.directory / name).write_bytes(data)
        entries = {name: writer.entry(name) for name in CONTENT}
        rename = type(writer.directory).rename

        def full(self, target):
            if self == writer.directory:
                raise OSError(28, "No space left on device")
            return rename(self, target)

        monkeypatch.setattr(type(writer.directory), "rename", full)
        with pytest.raises(ArtifactError, match="No space left"):
            writer.commit(manifest(entries, name="other"))
    assert Artifact.open(artifact).manifest.name == "sample"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


@pytest.mark.parametrize(("renames", "name"), [(0, "sample"), (1, "sample"), (2, "other")])
def test_ctrl_c_between_two_renames_leaves_one_artifact(artifact, tmp_path, monkeypatch, renames, name):
    """Interrupted before the first, between the two, and after the second."""
    rename = type(tmp_path).rename
    done = []

    def interrupted(self, target):
        if len(done) == renames:
            done.append(self)
            raise KeyboardInterrupt
        result = rename(self, target)
        done.append(self)
        if len(done) == renames == 2:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(type(tmp_path), "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(artifact, name="other", replace=True)
    assert Artifact.open(artifact).manifest.name == name
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_ctrl_c_right_after_the_old_one_was_moved_brings_it_back(artifact, tmp_path, monkeypatch):
    rename = type(tmp_path).rename
    moved = []

    def interrupted(self, target):
        result = rename(self, target)
        moved.append(self)
        if moved == [artifact]:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(type(tmp_path), "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(artifact, name="other", replace=True)
    assert Artifact.open(artifact).manifest.name == "sample"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_an_old_artifact_that_cannot_go_back_is_kept(artifact, tmp_path, monkeypatch):
    rename = type(tmp_path).rename

    def broken(self, target):
        if self != artifact:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", broken)
    with pytest.raises(ArtifactError, match="Input/output error"):
        write(artifact, name="other", replace=True)
    (kept,) = tmp_path.glob(".artifact.old.*/old")
    assert Artifact.open(kept).manifest.name == "sample"


def test_a_target_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot write to"), ArtifactWriter(tmp_path / "file" / "a"):
        pass


@pytest.mark.parametrize("name", FILES)
def test_a_device_in_place_of_a_file_is_not_read(artifact, name):
    """Reading /dev/zero would never end; /dev/null stands for it here."""
    (artifact / name).unlink()
    (artifact / name).symlink_to("/dev/null")
    refused = {"manifest.json": "is not a regular file"}.get(name, "leads out of the artifact")
    assert refused in refusal(artifact, CorruptArtifactError)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_place_of_a_file_is_not_waited_for(artifact, name):
    (artifact / name).unlink()
    os.mkfifo(artifact / name)
    with (artifact / name).open("r+b", buffering=0):  # a writer, else a reader that does wait would hang the test
        assert "is not a regular file" in refusal(artifact, CorruptArtifactError)


def test_folders_made_on_the_way_are_removed(tmp_path):
    (tmp_path / "kept").mkdir()
    with ArtifactWriter(tmp_path / "kept" / "a" / "b" / "c"):
        assert (tmp_path / "kept" / "a" / "b").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert list((tmp_path / "kept").iterdir()) == []
