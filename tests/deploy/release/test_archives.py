import io
import tarfile
import zipfile
from hashlib import sha256

from deploy.release.archives import differences, left_out, sdist_names, wheel_files


def test_the_files_of_a_wheel_are_read_with_their_hashes(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("a/b.py", b"text")
    assert wheel_files(tmp_path / "a.whl") == {"a/b.py": sha256(b"text").hexdigest()}


def test_the_files_of_a_source_archive_are_named_below_its_top_folder(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a-1.0/b/c.py"), io.BytesIO())
        folder = tarfile.TarInfo("a-1.0/d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert sdist_names(tmp_path / "a.tar.gz") == {"b/c.py"}


def test_files_that_differ_or_are_in_one_alone_are_named():
    assert differences({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == ["b", "c", "d"]
    assert differences({"a": "1"}, {"a": "1"}) == []


def test_what_is_tracked_and_not_packed_is_named():
    assert left_out({"a", "b/c", "d/e"}, {"a", "b/c", "PKG-INFO"}) == ["d/e"]
    assert left_out({"a"}, {"a"}) == []
