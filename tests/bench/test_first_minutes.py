"""The plan for a GPU, and that a step which hangs or fails costs only itself. Whole, it runs in tests/cuda."""

import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from bench.gpu import first_minutes
from bench.gpu.lib import environment
from bench.gpu.lib.plan import PLAN, Step, chosen, within
from bench.gpu.lib.record import Record, read, tables

ROOT = first_minutes.ROOT


def test_a_budget_cuts_from_the_end():
    assert within(PLAN, sum(step.seconds for step in PLAN)) == list(PLAN)
    assert within(PLAN, PLAN[0].seconds + PLAN[1].seconds + 1) == list(PLAN[:2])
    assert within(PLAN, PLAN[0].seconds - 1) == []


def test_steps_are_run_in_the_order_of_the_plan():
    assert [step.name for step in chosen(["served", "load"])] == ["load", "served"]
    assert chosen([]) == list(PLAN)


def test_each_step_has_a_module_with_a_docstring():
    for step in PLAN:
        assert (ROOT / "bench/gpu/steps" / f"{step.name}.py").read_text().startswith('"""'), step.name


def test_the_plan_is_printed_without_a_gpu_and_without_the_project():
    done = subprocess.run(
        [sys.executable, "-S", "-m", "bench.gpu.first_minutes", "--plan", "--budget", "110"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == [str(PLAN[0].seconds), "s", "load"]
    assert lines[-1].startswith("cut: numerics, ")


class Programs:
    """In place of steps: what each is, as Python."""

    def __init__(self, log, **programs):
        self.log, self.programs, self.started = log, programs, []

    def start(self, name):
        program = [sys.executable, "-c", self.programs[name]]
        process = subprocess.Popen(program, stdout=self.log, stderr=self.log, start_new_session=True)
        self.started.append(process)
        return process


@pytest.fixture
def record(tmp_path):
    return Record(tmp_path / "rows.jsonl", "plan")


@pytest.fixture
def log(tmp_path):
    with (tmp_path / "log.txt").open("ab", buffering=0) as file:
        yield file


@pytest.mark.parametrize(
    ("program", "limit", "ended", "said"),
    [
        ("print('done')", 300, "ok", None),
        ("print('first'); raise SystemExit('no such device')", 300, "FAILED (1)", "no such device"),
        ("import os; os.abort()", 300, "FAILED (-6)", ""),
        ("import time; print('waits', flush=True); time.sleep(1000)", 2, "TIME", ""),
    ],
)
def test_a_step_ends_in_a_row(record, log, program, limit, ended, said):
    programs = Programs(log, load=program)
    first_minutes._run(Step(name="load", seconds=1, decides=""), limit, programs, record)
    first, *more = read(record.path)
    assert (first["name"], first["ended"]) == ("load", ended)
    assert programs.started[0].returncode is not None
    assert [said in row["error"] for row in more] == ([] if said is None else [True])


def test_what_a_step_started_ends_with_it(record, log):
    program = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
time.sleep(1000)
"""
    programs = Programs(log, load=program)
    first_minutes._run(Step(name="load", seconds=1, decides=""), 3, programs, record)
    while is_running(programs.started[0].pid):
        time.sleep(0.01)


def is_running(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_failure_within_a_step_is_a_row_and_the_step_goes_on(record):
    with record.attempt("the first"):
        raise ValueError("of two\nlines")
    record.add("table", model="tiny", ms=0.123456, cosine=0.9999999)
    record.note("a note")
    text = tables(read(record.path))
    assert "FAILED plan, the first: ValueError: of two" in text
    assert "|model|ms|cosine|\n|-|-|-|\n|tiny|0.123|0.99999990|" in text
    assert text.startswith("- plan: a note")


def test_a_row_that_was_cut_short_is_left_out(record):
    record.add("table", ms=1)
    with record.path.open("a") as file:
        file.write('{"step": "load", "tab')
    assert [row["ms"] for row in read(record.path)] == [1]


def test_packages_that_are_brought_come_before_what_is_installed(tmp_path, monkeypatch):
    folder = tmp_path / "brought"
    folder.mkdir()
    (tmp_path / "module.py").write_text("")
    with zipfile.ZipFile(folder / "one-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(tmp_path / "module.py", "one.py")
    with tarfile.open(folder / "two.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "module.py", "two.py")
    monkeypatch.setenv("PYTHONPATH", "/before")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/libraries")
    variables = environment.environment([folder], tmp_path / "work")
    places = variables["PYTHONPATH"].split(":")
    assert [[path.name for path in Path(place).iterdir()] for place in places[:2]] == [["one.py"], ["two.py"]]
    assert places[-1] == "/before"
    assert places[2].endswith("/proto")
    assert variables["LD_LIBRARY_PATH"].split(":")[0] == "/libraries"
    assert not environment.is_fake(variables)
