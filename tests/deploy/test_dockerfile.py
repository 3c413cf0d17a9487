"""The Dockerfile, as far as it can be judged without building it; `make image` builds and tries it."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from polyseme.server.config import ServerConfig
from polyseme.v1 import embedding_service_pb2

ROOT = Path(__file__).parents[2]
SERVICE = embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name
CONFIG = ServerConfig()


def instructions():
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", text)
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages():
    """Instructions by stage, in order."""
    result = {}
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            result[name] = [("FROM", base)]
        elif result:
            result[name].append((word, rest))
    return result


def all_of(stage, word):
    """The arguments of an instruction in a stage and in those it is built from."""
    known, found = stages(), []
    while stage in known:
        found[:0] = [rest for name, rest in known[stage] if name == word]
        stage = known[stage][0][1]
    return found


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_runs_as_a_user_without_a_name(target):
    user, group = all_of(target, "USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_is_made_of_copies_alone(target):
    """No RUN after the last FROM: no compiler, no package manager's cache, no secret can be in its layers."""
    assert all_of(target, "RUN") == []
    assert all("--from=" in copy for copy in all_of(target, "COPY"))


def test_cpu_is_the_default_target():
    assert list(stages())[-1] == "cpu"


def test_the_health_check_needs_no_shell_and_asks_for_readiness():
    (health,) = all_of("cpu", "HEALTHCHECK")
    command = json.loads(health[health.index("CMD ") + 4 :])
    assert command == ["polyseme", "health", "--service", SERVICE]


def test_flags_can_follow_the_entry_point():
    (entry,), (command,) = all_of("cpu", "ENTRYPOINT"), all_of("cpu", "CMD")
    assert json.loads(entry) == ["polyseme", "serve"]
    assert json.loads(command) == ["/models"]


def test_the_ports_are_the_defaults():
    assert all_of("cpu", "EXPOSE") == [f"{CONFIG.port} {CONFIG.metrics_port}"]
    assert f"POLYSEME_TARGET=127.0.0.1:{CONFIG.port}" in " ".join(all_of("cpu", "ENV"))


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_it_listens_on_the_containers_own_address(target):
    """The server's default is loopback, which nothing outside a container reaches."""
    assert CONFIG.host == "127.0.0.1"
    assert "POLYSEME_HOST=0.0.0.0" in " ".join(all_of(target, "ENV")).split()


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_nothing_is_told_to_the_maker_of_onnxruntime(target):
    assert "ORT_DISABLE_TELEMETRY=1" in " ".join(all_of(target, "ENV")).split()


def test_sigterm_stops_it():
    assert all_of("cpu", "STOPSIGNAL") == ["SIGTERM"]


def test_no_base_is_a_moving_one():
    bases = {stage[0][1] for stage in stages().values()} - set(stages())
    assert bases == {"${BASE}", "scratch"}
    (default,) = [rest for word, rest in instructions() if word == "ARG" and rest.startswith("BASE=")]
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-\w+", default)


def test_every_file_that_is_copied_reaches_the_build():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    admitted = [line[1:] for line in lines if line[0] == "!"]
    copied = [
        name
        for stage in stages()
        for copy in all_of(stage, "COPY")
        if "--from" not in copy
        for name in copy.split()[:-1]
    ]
    assert sorted(set(copied)) == sorted(admitted)
    assert all((ROOT / name).exists() for name in copied)


def test_every_file_of_the_wheel_is_copied():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = [*packages, project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"]
    copied = [name for copy in all_of("build-cpu", "COPY") for name in copy.split()[:-1]]
    assert set(needed) <= set(copied)


def test_the_image_has_the_onnxruntime_that_is_tried_without_a_gpu():
    pinned = (ROOT / "constraints/cuda.txt").read_text()
    (version,) = [line for line in (ROOT / "deploy/cuda.txt").read_text().splitlines() if line.startswith("onnx")]
    assert f"\n{version} " in pinned


@pytest.mark.parametrize(("target", "extra"), [("cpu", "server"), ("cuda", "gpu")])
def test_an_image_has_the_extras_that_are_asked_for(target, extra):
    build = stages()[f"build-{target}"]
    (install,) = [rest for word, rest in build if word == "RUN" and " install " in rest]
    assert f'".[{extra}${{EXTRAS:+,${{EXTRAS}}}}]"' in install
    assert build.index(("ARG", 'EXTRAS=""')) < build.index(("RUN", install))


def test_cuda_libraries_are_pinned_and_all_there():
    """Those that onnxruntime-gpu 1.31 names in its extras [cuda,cudnn], and cuBLAS, which it links to."""
    lines = [line for line in (ROOT / "deploy/cuda.txt").read_text().splitlines() if line[0] != "#"]
    assert all(fnmatch(line, "*==[0-9]*") for line in lines)
    names = {line.partition("==")[0] for line in lines}
    libraries = {"cublas", "cuda-nvrtc", "cuda-runtime", "cudnn-cu13", "cufft", "curand", "nvjitlink"}
    assert names == {"onnxruntime-gpu"} | {f"nvidia-{library}" for library in libraries}


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_says_what_it_is(target):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (labels,) = all_of(target, "LABEL")
    named = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', labels))
    arguments = dict(rest.partition("=")[::2] for rest in all_of(target, "ARG"))
    assert named == {
        "title": project["name"],
        "description": project["description"].partition(":")[0],
        "licenses": project["license"],
        "version": "${VERSION}",
        "revision": "${REVISION}",
        "base.name": "${BASE}",
    }
    assert (arguments["VERSION"], arguments["REVISION"]) == (project["version"], "unknown")
