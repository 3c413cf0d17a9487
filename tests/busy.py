"""Run the tests that look at a clock many times beside busy processes: `python -m tests.busy [FILE ...]`.

A busy machine shows which of them trust it to be fast. A round is one run of pytest with all files; each prints what
failed. The table comes at the end, and after an interrupt. `--list` prints the files and ends.

Exit code: 1 if a test failed.
"""

import argparse
import ast
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
CLOCKS = {"time.monotonic", "time.perf_counter", "time.time", "time.sleep", "asyncio.sleep"}
BUSY = "import os\nstarter = os.getppid()\nwhile os.getppid() == starter:\n    sum(range(100_000))"  # not without us
SHORT_S = 5  # what a test gives something that is to end in time may be minutes; less is meant to run out


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
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if looks_at_a_clock(path.read_text(encoding="utf-8"))
    ]


@contextmanager
def busy_processes(count):
    """Keep this many processes busy."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_once(files):
    """Run files; gives the names of those that were run, and of the tests that failed.

    Raises:
        SystemExit: pytest could not run them.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "--tb=short", f"--junitxml={report}", "-o", "junit_family=xunit1"]
        command = [sys.executable, "-m", "pytest", *options, *files]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(done.stdout, flush=True)
        if done.returncode not in {0, 1}:  # of pytest: 0 all passed, 1 some failed
            raise SystemExit(f"pytest ended with {done.returncode}")
        cases = list(ElementTree.parse(report).iter("testcase"))
    ran = {case.attrib["file"] for case in cases}
    failed = [
        (case.attrib["file"], case.attrib["name"])
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return ran, failed


def main(argv=None):
    """Print a table of files, runs and failed runs; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: all test files that look at a clock")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--loops", type=int, default=30, help="busy processes")
    parser.add_argument("--list", action="store_true", help="print the files, and end")
    arguments = parser.parse_args(argv)
    files = arguments.files or files_with_clocks()
    if arguments.list:
        print(*files, sep="\n")
        return 0
    runs, failed = Counter(), Counter()
    try:
        with busy_processes(arguments.loops):
            for number in range(1, arguments.rounds + 1):
                ran, tests = run_once(files)
                runs.update(ran)
                failed.update({file for file, _ in tests})
                print(f"round {number}: {len(ran)} files, {len(tests)} tests failed", flush=True)
    finally:
        print(f"\nbeside {arguments.loops} busy processes:\n\n| file | runs | failed |\n|---|---:|---:|")
        for file in sorted(runs):
            print(f"| {file} | {runs[file]} | {failed[file]} |")
        print(f"| {len(runs)} files | {runs.total()} | {failed.total()} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
