"""The Node example: installs from its lock, and agrees with the SDK."""

import json

import pytest
from tests.callers.behaviour import Behaviour, Predictions
from tests.callers.programs import CACHE, ROOT, Program, build, copied, environment, need, utf16_code_units


@pytest.fixture(scope="module")
def program():
    need("node", "npm")
    variables = environment(npm_config_cache=CACHE / "npm")
    version = build(["node", "--version"], ROOT, variables).strip()
    if int(version.removeprefix("v").split(".")[0]) < 20:
        pytest.skip(f"node {version} is older than v20")
    directory = copied("node")
    lock, installed = directory / "package-lock.json", directory / "node_modules/.installed"
    if not installed.is_file() or installed.read_bytes() != lock.read_bytes():
        build(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], directory, variables)
        installed.write_bytes(lock.read_bytes())
    return Program(["node", "main.js"], directory, variables)


class TestNode(Behaviour, Predictions):
    unit = staticmethod(utf16_code_units)


def test_its_own_tests(program):
    build(["node", "--test"], program.directory, program.environment)


def test_lock_names_no_host():
    lock = json.loads((ROOT / "examples/node/package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all(package["integrity"] for path, package in lock["packages"].items() if path)
