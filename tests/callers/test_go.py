"""The Go example: builds, is clean, agrees with its generated code, and with the SDK."""

import subprocess

import pytest
from tests.callers.behaviour import Behaviour, Predictions
from tests.callers.programs import CACHE, ROOT, Program, buf, build, environment, need, utf8_bytes

SOURCE = ROOT / "examples/go"


@pytest.fixture(scope="module")
def go():
    """Runs a command in the example's folder; gives what it prints."""
    need("go")
    variables = environment(
        GOCACHE=CACHE / "go/build",
        GOMODCACHE=CACHE / "go/modules",
        GOFLAGS="-modcacherw -buildvcs=false",
        CGO_ENABLED=0,
    )
    version = build(["go", "env", "GOVERSION"], ROOT, variables)
    if tuple(int(part) for part in version.strip().removeprefix("go").split(".")[:2]) < (1, 26):
        pytest.skip(f"{version.strip()} is older than go1.26")
    return lambda *command: build(list(command), SOURCE, variables)


@pytest.fixture(scope="module")
def program(go):
    binary = CACHE / "go/polyseme"
    go("go", "build", "-o", str(binary), ".")
    return Program([str(binary)], SOURCE, environment())


class TestGo(Behaviour, Predictions):
    unit = staticmethod(utf8_bytes)


def test_its_own_tests_and_vet(go):
    go("go", "test", "-vet=all", "./...")


def test_is_formatted(go):
    assert go("gofmt", "-l", ".") == ""


def test_generated_code_is_that_of_the_contract(go, tmp_path):
    go(buf(), "generate", "../..", "--path", "../../proto/polyseme/v1", "-o", str(tmp_path))
    diff = ["diff", "-r", str(tmp_path / "polysemev1"), str(SOURCE / "polysemev1")]
    done = subprocess.run(diff, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, f"run `go generate ./...` in examples/go\n{done.stdout[:2000]}"
