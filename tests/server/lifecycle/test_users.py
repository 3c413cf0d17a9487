"""The lock of a server's users. tests/client/_local/test_server.py has whole servers."""

import contextlib
import fcntl
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polyseme.server.errors import ConfigError
from polyseme.server.lifecycle.users import end_without_users

PROGRAM = """
import signal, sys
from pathlib import Path
from polyseme.server.lifecycle.users import end_without_users
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
end_without_users(Path(sys.argv[1]))
print("watches", flush=True)
print(signal.sigwait({signal.SIGTERM}).name, flush=True)
input()
"""


def test_a_process_ends_when_the_last_lock_is_dropped_and_holds_it_meanwhile(tmp_path):
    path = tmp_path / "users"
    with path.open("w") as one, path.open() as two, path.open() as late:
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(two, fcntl.LOCK_SH)
        command = [sys.executable, "-c", PROGRAM, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "watches\n"
            one.close()
            fcntl.flock(late, fcntl.LOCK_SH | fcntl.LOCK_NB)  # whoever comes in time keeps it
            two.close()
            assert process.poll() is None
            fcntl.flock(late, fcntl.LOCK_UN)
            assert process.stdout.readline() == f"{signal.SIGTERM.name}\n"
            with pytest.raises(BlockingIOError):
                fcntl.flock(late, fcntl.LOCK_SH | fcntl.LOCK_NB)
            process.stdin.close()
            process.wait(300)
        fcntl.flock(late, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_a_file_that_was_removed_is_let_go_for_the_one_in_its_place(tmp_path):
    """What cleans folders for temporary files takes old ones, and the next user makes another."""
    path = tmp_path / "users"
    with path.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_SH)
        command = [sys.executable, "-c", PROGRAM, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "watches\n"
            path.unlink()
            with path.open("w") as second:
                fcntl.flock(second, fcntl.LOCK_SH)
                first.close()
                while path.stat().st_ino not in opened(process.pid):
                    assert not select.select([process.stdout], [], [], 0.02)[0], "it ends, though it is used"
            assert process.stdout.readline() == f"{signal.SIGTERM.name}\n"
            process.stdin.close()
            process.wait(300)


def opened(pid):
    """The inodes of the files that a process has open."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            inodes.add(file.stat().st_ino)
    return inodes


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=f"--users-lock {tmp_path}/none: No such file or directory"):
        end_without_users(tmp_path / "none")
