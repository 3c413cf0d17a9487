"""The wheel as a stranger gets it: built, installed alone in a fresh environment, used. Run by `make test-wheel`."""

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.packaging


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", target, ROOT)
    (path,) = target.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of an environment with the wheel and what it asks for, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints" / "default.txt", wheel)
    return python


def test_the_wheel_has_one_top_level_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"polyseme"}
    assert len(names) == 2


def test_the_wheel_carries_the_contract_and_the_types(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for part in ("artifact", "client", "export", "gateway", "integrations", "runtime", "server", "v1"):
        assert f"polyseme/{part}/py.typed" in names
    assert "polyseme/v1/embedding_service.proto" in names
    assert {f"polyseme/gateway/page/static/{name}" for name in ("index.html", "page.css", "page.js")} <= names
    assert "polyseme/__init__.py" not in names


def test_the_wheel_knows_no_failpoints(wheel):
    """Faults for server processes are put in by tests/server/failpoints.py, and by nothing that is installed."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert not [name for name in names if "failpoint" in name or "tests/" in name]
        assert not [name for name in names if b"failpoint" in archive.read(name).lower()]


def test_the_client_needs_three_packages(python):
    listed = run(python, "-m", "pip", "list", "--format", "freeze").split()
    installed = {line.partition("==")[0].lower().replace("-", "_") for line in listed}
    assert installed - {"pip", "setuptools"} <= {"polyseme", "grpcio", "protobuf", "numpy", "typing_extensions"}


def test_the_client_is_small_beside_numpy(python):
    program = """
        import pathlib, sysconfig
        site = pathlib.Path(sysconfig.get_paths()["purelib"])
        skipped = ("numpy", "pip", "setuptools", "pkg_resources", "_distutils_hack")
        size = sum(
            path.stat().st_size
            for path in site.rglob("*")
            if path.is_file() and not path.relative_to(site).parts[0].startswith(skipped)
            and "__pycache__" not in path.parts
        )
        print(size)
    """
    assert int(run(python, "-c", textwrap.dedent(program))) <= 25e6


def test_the_client_works_alone(python, tiny_artifact):
    from tests.server.running import running

    program = """
        import sys
        from polyseme.client import Client
        with Client(sys.argv[1]) as client:
            vectors = client.embed(["a cat", "a dog"])
            print(vectors.shape, vectors.dtype, client.similarity("a cat", "a cat").round(3))
        heavy = {"onnxruntime", "tokenizers", "onnx", "torch", "rich"} & set(sys.modules)
        assert not heavy, heavy
    """
    with running(tiny_artifact) as server:
        assert "(2, 32) float32 1.0" in run(python, "-c", textwrap.dedent(program), server.target)


def test_missing_extras_are_named(python, tmp_path):
    done = subprocess.run(
        [str(python), "-m", "polyseme.cli.main", "serve", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "pip install 'polyseme[server]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_types_resolve_for_users(python, tmp_path):
    (tmp_path / "program.py").write_text(
        textwrap.dedent("""
            import numpy as np
            import numpy.typing as npt
            from polyseme.client import Client

            with Client("localhost:50051") as client:
                vectors: npt.NDArray[np.float32] = client.embed(["a"])
                words: npt.NDArray[np.str_] = np.array(["a", "b"])
                client.embed(words)
                client.embed(text for text in "ab")
                client.embed({1: "a"}.values())
                client.similarity(words, (text for text in "ab"))
                client.embed_words(words)[0].vectors
                client.embed_tokens(text for text in "ab")[0].vectors
                client.tokenize(words)[0].ids
                client.embed_words("a").vectors
                wrong: int = client.embed(["a"])
        """)
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "program.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, done.stdout
    assert 'variable has type "int"' in errors[0]
