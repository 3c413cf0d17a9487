"""The Java example: builds with Maven, and agrees with the SDK."""

import os

import pytest
from tests.callers.behaviour import Behaviour
from tests.callers.programs import CACHE, Program, build, copied, environment, need, utf16_code_units

pytestmark = pytest.mark.skipif(
    not os.environ.get("POLYSEME_TEST_JAVA"), reason="run by `make callers`: Maven downloads 70 MB"
)
MAVEN = ["mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", f"-Dmaven.repo.local={CACHE / 'maven'}"]


@pytest.fixture(scope="module")
def program():
    need("javac", "mvn", "java")
    directory, variables = copied("java"), environment()
    build([*MAVEN, "package", "dependency:copy-dependencies"], directory, variables)  # runs its own tests
    classpath = f"{directory}/target/classes:{directory}/target/dependency/*"
    return Program(["java", "-XX:TieredStopAtLevel=1", "-cp", classpath, "example.Main"], directory, variables)


class TestJava(Behaviour):
    unit = staticmethod(utf16_code_units)
