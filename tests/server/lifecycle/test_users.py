"""The lock of a server's users. tests/client/_local/test_server.py has whole servers."""

import fcntl
import signal
import subprocess
import sys

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


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=f"--users-lock {tmp_path}/none: No such file or directory"):
        end_without_users(tmp_path / "none")
