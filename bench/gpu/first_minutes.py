"""The first minutes on a GPU: the most worth knowing first, each step in a process of its own that may fail or hang.

Usage: python -m bench.gpu.first_minutes --out DIR [--budget SECONDS] [--steps NAME ...] [--models minilm bert-base]
           [--packages PATH ...] [--model PATH] [--device cuda|cpu] [--quick] [--patience FACTOR]
       python -m bench.gpu.first_minutes --plan [--budget SECONDS]

From the root of the source, which need not be installed. What polyseme[gpu,export] needs is installed or brought:

    --packages   wheels or archives of packages, or folders of them, found before what is installed: onnxruntime itself
    --model      a real checkpoint, as a folder or an archive; default: models with random weights alone
    --budget     no step begins that could end later than so many seconds after the start

A step is ended after its seconds, and costs only itself. DIR gets rows.jsonl, log.txt and tables.md; the tables are
printed last. Over the fake CUDA runtime of tests/cuda all is run, and nothing it says is a measurement.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from types import FrameType
from typing import IO, Final

from bench.gpu.lib.environment import ROOT, environment, is_fake, unpacked
from bench.gpu.lib.plan import PLAN, Step, chosen, within
from bench.gpu.lib.record import Record, read, tables
from bench.lib.machine import heading

_REHEARSAL: Final = "A REHEARSAL over the fake CUDA runtime of tests/cuda: no value and no time here is a measurement."
_PRINTED: Final = 11_500  # characters; where output is cut, its end is what is kept
_SAYING_S, _UNKILLABLE_S = 0.5, 5


def main() -> None:
    args = _arguments()
    steps = chosen(args.steps)
    if args.plan:
        print(_plan(within(steps, args.budget), steps))
        return
    signal.signal(signal.SIGTERM, _interrupt)
    began = perf_counter()
    args.out.mkdir(parents=True, exist_ok=True)
    args.work.mkdir(parents=True, exist_ok=True)
    variables = environment(args.packages, args.work)
    is_rehearsal = is_fake(variables)
    record = Record(args.out / "rows.jsonl", "plan")
    if is_rehearsal:
        record.note(_REHEARSAL)
    with (args.out / "log.txt").open("ab", buffering=0) as log:
        run = Steps(variables, log, _given(args, is_rehearsal=is_rehearsal))
        making = run.start("models")  # beside the first steps; one that needs an artifact waits for it
        try:
            for step in steps:
                limit, left = step.seconds * args.patience, args.budget - (perf_counter() - began)
                if limit > left:
                    record.note(f"no time for {step.name}: {limit:.0f} s, {left:.0f} left")
                    continue
                _run(step, limit, run, record)
        except KeyboardInterrupt:
            record.note("interrupted")
        finally:
            end(making)
    head = "\n".join(heading().splitlines()[:3])  # versions are what the steps found, and not what is installed
    text = "\n\n".join([head, tables(read(record.path)), *[_REHEARSAL] * is_rehearsal])
    (args.out / "tables.md").write_text(text + "\n", encoding="utf-8")
    print(text if len(text) <= _PRINTED else f"... (all of it in tables.md)\n{text[-_PRINTED:]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/gpu/out"))
    parser.add_argument("--work", type=Path, default=Path("build/gpu/work"), help="for models and packages")
    parser.add_argument("--plan", action="store_true", help="print the plan, and run nothing")
    parser.add_argument("--budget", type=float, default=float("inf"))
    parser.add_argument("--steps", nargs="+", choices=[step.name for step in PLAN], default=[], metavar="NAME")
    parser.add_argument("--models", nargs="+", default=["minilm", "bert-base"], help="sizes with random weights")
    parser.add_argument("--packages", nargs="+", type=Path, default=[])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--patience", type=float, default=1.0, help="factor of all limits, for a slow machine")
    parser.add_argument("--quick", action="store_true", help="each measurement a tenth as long, and small batches")
    return parser.parse_args()


def _given(args: argparse.Namespace, *, is_rehearsal: bool) -> list[str]:
    """What every step is told."""
    given = ["--out", args.out.absolute(), "--work", args.work.absolute(), "--device", args.device]
    given += ["--models", *args.models, *["--rehearsal"] * is_rehearsal, *["--quick"] * args.quick]
    given += ["--model", unpacked(args.model, args.work / "model")] if args.model else []
    return list(map(str, given))


def _plan(kept: Sequence[Step], steps: Sequence[Step]) -> str:
    lines = [f"{step.seconds:4d} s  {step.name:18s} {step.decides}" for step in kept]
    lines.append(f"{sum(step.seconds for step in kept):4d} s  in all, if each takes all it may")
    cut = [step.name for step in steps[len(kept) :]]
    return "\n".join([*lines, *([f"cut: {', '.join(cut)}"] if cut else [])])


@dataclass(frozen=True, slots=True)
class Steps:
    """How steps are started: the environment, the log that they share, their arguments."""

    variables: dict[str, str]
    log: IO[bytes]
    given: Sequence[str]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """In a process group of its own, so that what a step starts ends with it."""
        return subprocess.Popen(
            [sys.executable, "-m", "bench.gpu.step", name, *self.given],
            env=self.variables,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )


def _run(step: Step, limit: float, run: Steps, record: Record) -> None:
    """A step to its end or limit, and a row of how it ended."""
    begin, log_began = perf_counter(), run.log.tell()
    process, ended = run.start(step.name), "ok"
    try:
        code = process.wait(timeout=limit)
        ended = "ok" if code == 0 else f"FAILED ({code})"
    except subprocess.TimeoutExpired:
        ended = "TIME"
        process.send_signal(signal.SIGUSR1)  # where it waits is what the log should have
        sleep(_SAYING_S)
    finally:
        end(process)
    record.add("steps", name=step.name, ended=ended, s=perf_counter() - begin, limit=limit)
    if ended != "ok":
        record.fail(step.name, _last_lines(Path(run.log.name), log_began))


def _last_lines(path: Path, begin: int) -> str:
    """Of what a step said, from where it began."""
    with path.open("rb") as log:
        log.seek(begin)
        return " / ".join(log.read().decode(errors="replace").splitlines()[-3:])[-250:]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it started; one that a driver does not let go is left alone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_UNKILLABLE_S)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
