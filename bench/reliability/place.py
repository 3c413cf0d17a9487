"""Where promises are tried: the artifacts that are served, and a folder for what comes up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree  # of a file that our own pytest wrote
from dataclasses import dataclass
from pathlib import Path

from bench.reliability.outcome import Outcome

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a promise is tried on.

    Attributes:
        model: artifact of a real model.
        tiny: artifact of a random BERT of 2 layers, 32 wide: for what is counted, and not for what is timed.
        folder: for files.
        short: few tries, for the tests; figures of latencies say nothing then.
    """

    model: Path
    tiny: Path
    folder: Path
    short: bool = False

    def tries(self, many: int, few: int) -> int:
        """How many tries there are."""
        return few if self.short else many

    def by_tests(self, what: str, *tests: str) -> Outcome:
        """Run tests of the project, each of which is a try; `FILE` or `FILE::TEST`, below tests/."""
        report = self.folder / "tests.xml"
        arguments = [f"tests/{test}" for test in tests]
        command = [sys.executable, "-m", "pytest", "-q", "--timeout", "300", f"--junitxml={report}", *arguments]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        counts = ElementTree.parse(report).getroot()[0].attrib
        ran = int(counts["tests"]) - int(counts["skipped"])
        failed = int(counts["failures"]) + int(counts["errors"])
        return Outcome(what=f"{what} ({', '.join(short_name(test) for test in tests)})", tries=ran, failed=failed)


def short_name(test: str) -> str:
    """A test as a reader finds it."""
    return test.partition("::")[2] or Path(test).name


def make_tiny(folder: Path) -> Path:
    """Export the tiny model of the tests; gives its artifact."""
    from tests.conftest import write_tiny_checkpoint

    from polyseme.export import ExportOptions, export_model

    source = write_tiny_checkpoint(folder / "checkpoint")
    export_model(str(source), folder / "tiny", ExportOptions(name="tiny"))
    return folder / "tiny"


def busy_cores(seconds: float = 2.0) -> float:
    """How many cores of this machine others keep busy, looked at for so long while nothing of ours runs."""
    used, total = _cpu_time()
    time.sleep(seconds)
    used_then, total_then = _cpu_time()
    return (used_then - used) / (total_then - total) * (os.cpu_count() or 1)


def _cpu_time() -> tuple[int, int]:
    """Time that all cores worked, and all of their time, in the kernel's ticks."""
    ticks = [int(part) for part in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
