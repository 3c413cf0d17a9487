"""Run the tests that look at a clock many times beside busy processes: `python -m tests.busy [FILE ...]`.

A busy machine shows which of them trust it to be fast. A round is one run of pytest with all files. Rounds that run at
once are each other's load: each counts as one busy process, whatever it starts or waits for, and loops make up what
lacks. So a round has all its time as many busy processes beside it as it should. Every round begins with another file.
Each prints what failed. Two tables come at the end, and after an interrupt: the files, and what ran at once for how
long. `--list` prints the files and ends.

Exit code: 1 if a test failed.
"""

import argparse
import ast
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
CLOCKS = {"time.monotonic", "time.perf_counter", "time.time", "time.sleep", "asyncio.sleep"}
BUSY = "import os\nstarter = os.getppid()\nwhile os.getppid() == starter:\n    sum(range(100_000))"  # not without us
ROUND_KIB = 1 << 20  # of memory that a round holds with its servers: 0.6 GiB (median) to 1.2 GiB; not all do so at once
SHORT_S = 5  # what a test gives something that is to end in time may be minutes; less is meant to run out
LEFT_OUT = {  # what finds nothing here
    "tests/cli/commands/test_bench.py": "its event loop has a clock of its own",
    "tests/cuda": "by make test-cuda",
    "tests/integrations": "by make test-integrations and others",
    "tests/test_reliability.py": "its clock is put in; make reliability tries the promises, many times",
}


def looks_at_a_clock(source):
    """Tell whether code sleeps, reads a clock, or gives a call a timeout of less than SHORT_S seconds."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in CLOCKS and ast.unparse(call) != "asyncio.sleep(0)":
            return True
        timeouts = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if any(isinstance(one, ast.Constant) and 0 < (one.value or 0) < SHORT_S for one in timeouts):
            return True
    return False


def files_with_clocks():
    """Paths of test files, from the root of the project."""
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("test_*.py"))]
    return [
        str(path)
        for path in paths
        if not any(path.is_relative_to(left_out) for left_out in LEFT_OUT)
        and looks_at_a_clock((ROOT / path).read_text(encoding="utf-8"))
    ]


def most_at_once():
    """Number of rounds that the memory which is free now can hold; at least 1."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    (free_kib,) = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return max(1, free_kib // ROUND_KIB)


class Load:
    """Keeps processes busy, so that every round that runs has so many beside it, other rounds among them.

    Attributes:
        seconds: how long so many rounds ran with so many loops: {(rounds, loops): seconds}.
    """

    def __init__(self, beside, clock=time.monotonic):
        self.seconds = Counter()
        self._beside, self._clock = beside, clock
        self._rounds, self._loops = 0, []
        self._since = clock()
        self._changing = threading.Lock()

    @contextmanager
    def round(self):
        """Count a round while the block runs."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by):
        with self._changing:
            now = self._clock()
            if self._rounds:
                self.seconds[self._rounds, len(self._loops)] += now - self._since
            self._since = now
            self._rounds += by
            lacking = max(0, self._beside - self._rounds + 1) if self._rounds else 0
            while len(self._loops) < lacking:
                self._loops.append(subprocess.Popen([sys.executable, "-c", BUSY]))
            while len(self._loops) > lacking:
                loop = self._loops.pop()
                loop.kill()
                loop.wait()


def run_once(files):
    """Run files; gives the names of those that were run, and of the tests that failed.

    Raises:
        SystemExit: pytest could not run them.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "--tb=short", f"--junitxml={report}", "-o", "junit_family=xunit1"]
        options += [f"--basetemp={folder}/t", "-p", "no:cacheprovider"]  # nothing that two rounds would write
        environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": f"{folder}/hypothesis"}
        command = [sys.executable, "-m", "pytest", *options, *files]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            print(done.stdout, flush=True)
        if done.returncode not in {0, 1}:  # of pytest: 0 all passed, 1 some failed
            raise SystemExit(f"pytest ended with {done.returncode}")
        cases = list(ElementTree.parse(report).iter("testcase"))
    ran = {case.attrib["file"] for case in cases if case.find("skipped") is None}
    failed = [
        (case.attrib["file"], case.attrib["name"])
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return ran, failed


def main(argv=None):
    """Print a table of files, runs and failed runs, and what ran at once; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: all test files that look at a clock")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--at-once", type=int, help="rounds side by side; default: as many as memory holds")
    parser.add_argument("--beside", type=int, default=30, help="busy processes beside each round, rounds among them")
    parser.add_argument("--list", action="store_true", help="print the files, and end")
    arguments = parser.parse_args(argv)
    files = arguments.files or files_with_clocks()
    if arguments.list:
        print(*files, sep="\n")
        return 0
    at_once = min(arguments.at_once or most_at_once(), arguments.rounds)
    runs, failed = Counter(), Counter()
    load, pool = Load(arguments.beside), ThreadPoolExecutor(at_once)

    def run(number):
        first = number * len(files) // at_once % len(files)
        with load.round():
            return number, *run_once(files[first:] + files[:first])

    try:
        for done in as_completed([pool.submit(run, number) for number in range(arguments.rounds)]):
            number, ran, tests = done.result()
            runs.update(ran)
            failed.update({file for file, _ in tests})
            print(f"round {number + 1}: {len(ran)} files, {len(tests)} tests failed", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
        print("\n| file | runs | failed |\n|---|---:|---:|")
        for file in sorted(runs):
            print(f"| {file} | {runs[file]} | {failed[file]} |")
        print(f"| {len(runs)} files | {runs.total()} | {failed.total()} |")
        print("\n| rounds at once | busy loops | busy beside each round | seconds |\n|---:|---:|---:|---:|")
        for (rounds, loops), seconds in sorted(load.seconds.items(), reverse=True):
            print(f"| {rounds} | {loops} | {rounds - 1 + loops} | {seconds:.0f} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
