import os
import tempfile
from pathlib import Path

import pytest

from polyseme.client._local.folder import private_folder
from polyseme.client.errors import LocalServerError


@pytest.fixture
def short():
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        yield Path(folder)


def test_it_lies_where_the_session_has_its_sockets(short):
    folder = private_folder("key", {"XDG_RUNTIME_DIR": str(short)})
    assert folder == short / "polyseme/key" == private_folder("key", {"XDG_RUNTIME_DIR": str(short)})
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}


@pytest.mark.parametrize("value", ["", "relative", "/none"])
def test_else_it_lies_with_temporary_files(short, monkeypatch, value):
    monkeypatch.setattr("tempfile.tempdir", str(short))
    assert private_folder("key", {"XDG_RUNTIME_DIR": value}) == short / f"polyseme-{os.geteuid()}/key"


def test_it_never_lies_in_the_session_of_another_user(short, monkeypatch):
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    anothers(short / "run")
    monkeypatch.setattr("tempfile.tempdir", str(short))
    assert private_folder("key", {"XDG_RUNTIME_DIR": f"{short}/run"}) == short / "polyseme-0/key"


def others_can_read(path):
    path.mkdir()
    path.chmod(0o750)


def a_file(path):
    path.touch(0o600)


def a_link(path):
    (path.parent / "elsewhere").mkdir(0o700)
    path.symlink_to(path.parent / "elsewhere")


def anothers(path):
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    path.mkdir(0o700)
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize("made", [others_can_read, a_file, a_link, anothers])
def test_what_another_user_may_have_put_there_is_refused(short, made):
    made(short / "polyseme")
    with pytest.raises(LocalServerError, match=f"{short}/polyseme"):
        private_folder("key", {"XDG_RUNTIME_DIR": str(short)})


def test_a_socket_has_a_path_of_107_bytes_at_most(short):
    most = 107 - len(os.fsencode(f"{short}//polyseme/key/socket"))
    for letters in (most, most + 1):
        (short / ("a" * letters)).mkdir()
    private_folder("key", {"XDG_RUNTIME_DIR": f"{short}/{'a' * most}"})
    with pytest.raises(LocalServerError, match="has 108 bytes; limit 107; set XDG_RUNTIME_DIR"):
        private_folder("key", {"XDG_RUNTIME_DIR": f"{short}/{'a' * (most + 1)}"})
