"""What SIGTERM leaves of a command that writes an artifact."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.cli.commands.test_fit import ROWS, csv_of

from polyseme.cli.termination import removing_at_sigterm


def test_sigterm_leaves_as_an_exception_does_and_only_within():
    before, left = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as ended, removing_at_sigterm():  # noqa: PT012  the signal comes between
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            left.append("removed")
    assert (ended.value.code, left) == (143, ["removed"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_has_no_signals():
    def within():
        with removing_at_sigterm():
            entered.set()

    entered = threading.Event()
    thread = threading.Thread(target=within)
    thread.start()
    thread.join(300)
    assert entered.is_set()


def test_a_fit_that_is_ended_leaves_nothing(tiny_artifact, tmp_path):
    data = csv_of(tmp_path / "train.csv", [(f"{text} {number}", name) for number in range(200) for text, name in ROWS])
    command = "import sys; from polyseme.cli.main import main; sys.exit(main())"
    arguments = ["fit", tiny_artifact, "-d", data, "-o", tmp_path / "made/new"]
    with subprocess.Popen([sys.executable, "-c", command, *map(str, arguments)], stderr=subprocess.DEVNULL) as process:
        while not (tmp_path / "made").exists() or not list((tmp_path / "made").iterdir()):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        assert process.wait(300) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
