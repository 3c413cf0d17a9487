"""The blocks of docs/inside-programs.md, each in its program, against a server. What is not installed is skipped."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.client.fake_server import fake_server

PAGE = (Path(__file__).parents[2] / "docs/inside-programs.md").read_text(encoding="utf-8")
BLOCKS = {
    section.partition("\n")[0]: re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    for section in PAGE.split("\n## ")[1:]
}
LATE = {"timeout": 300}


@pytest.fixture
def block(tmp_path):
    """Writes a block of the page to a file, with the target of a server in it; gives the file."""
    with fake_server() as server:

        def write(title, name="program.py", then=""):
            program = BLOCKS[title].replace("localhost:50051", server.target)
            (tmp_path / name).write_text(program + then)
            return tmp_path / name

        yield write


def output(*command, cwd):
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, **LATE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def started(*command, cwd, until):
    """A process that runs in the background, from when it prints a line that matches; gives the match."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(until, line):
                break
        else:
            pytest.fail("".join(lines))
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)


def test_the_page_has_a_block_for_each_program():
    assert list(BLOCKS) == [
        "A server of one's own",
        "pytest",
        "Threads",
        "Fork",
        "gunicorn",
        "Celery",
        "asyncio",
        "Jupyter",
        "Ray",
    ]


@pytest.fixture
def local_block(block, minilm_artifact, monkeypatch):
    """Writes a block that starts a server of its own, of the artifact that is here."""

    def write(title, name):
        file = block(title, name)
        file.write_text(file.read_text().replace("models/all-MiniLM-L6-v2", str(minilm_artifact)))
        return file

    with tempfile.TemporaryDirectory(prefix="p") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield write


def test_a_server_of_ones_own(local_block):
    program = local_block("A server of one's own", "program.py")
    assert output(sys.executable, str(program), cwd=program.parent) == "(384,)\n"


def test_pytest(local_block):
    folder = local_block("pytest", "conftest.py").parent
    (folder / "test_it.py").write_text("def test_it(client):\n    assert client.embed('a cat').shape == (384,)\n")
    assert "1 passed" in output(sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", cwd=folder)


def test_threads(block):
    program = block("Threads", then="print([vector.shape for vector in vectors])")
    assert output(sys.executable, str(program), cwd=program.parent) == "[(12,), (12,)]\n"


def test_fork(block):
    program = block("Fork")
    assert output(sys.executable, str(program), cwd=program.parent) == "[(12,), (12,)]\n"


def test_asyncio(block):
    program = block("asyncio", then="print([vector.shape for vector in vectors])")
    assert output(sys.executable, str(program), cwd=program.parent) == "[(12,), (12,), (12,), (12,)]\n"


@pytest.mark.parametrize("preload", [["--preload"], []])
def test_gunicorn(block, preload):
    pytest.importorskip("gunicorn")
    program = block("gunicorn", "app.py")
    command = [sys.executable, "-m", "gunicorn", *preload, "--workers", "2", "--bind", "127.0.0.1:0", "app:application"]
    with started(*command, cwd=program.parent, until=r"Listening at: (\S+)") as found:
        for _ in range(10):
            with urllib.request.urlopen(found[1], **LATE) as reply:
                assert reply.read() == b"(12,)"


def test_celery(block):
    pytest.importorskip("celery")
    program = block("Celery", "tasks.py")
    folder = program.parent
    for name in ("messages", "results"):
        (folder / name).mkdir()
    (folder / "celeryconfig.py").write_text(
        "broker_url = 'filesystem://'\n"
        "broker_transport_options = {'data_folder_in': 'messages', 'data_folder_out': 'messages'}\n"
        f"result_backend = 'file://{folder}/results'\n"
    )
    worker = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--loglevel", "info", "--concurrency", "2"]
    ask = "import tasks; print([len(tasks.embed.delay('a').get(timeout=300)) for _ in range(4)])"
    with started(*worker, cwd=folder, until=r"ready\."):
        assert output(sys.executable, "-c", ask, cwd=folder) == "[12, 12, 12, 12]\n"


def test_jupyter(block):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block("Jupyter").read_text())])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert notebook.cells[0].outputs[0].text == "(12,)\n(12,)\n"


def test_ray(block):
    pytest.importorskip("ray")
    program = block("Ray", then="print([vector.shape for vector in vectors])")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    assert output(sys.executable, str(program), cwd=program.parent).endswith("[(12,), (12,), (12,), (12,)]\n")
