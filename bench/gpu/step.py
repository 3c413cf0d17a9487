"""A step of the first minutes on a GPU, in a process of its own: python -m bench.gpu.step NAME --out DIR ..."""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.gpu.lib.record import Record

if TYPE_CHECKING:
    from bench.gpu.lib.setting import Setting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rehearsal", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)
    print(f"=== {args.name}", flush=True)
    record, done = Record(args.out / "rows.jsonl", args.name), False
    with record.attempt("all of it"):
        # Not above: this module is imported again by each process that a step spawns.
        importlib.import_module(f"bench.gpu.steps.{args.name}").run(_setting(args, record))
        done = True
    sys.exit(not done)


def _setting(args: argparse.Namespace, record: Record) -> Setting:
    from bench.gpu.lib.setting import Setting

    return Setting(
        record=record,
        work=args.work,
        kind=args.device,
        names=args.models,
        checkpoint=args.model,
        is_rehearsal=args.rehearsal,
        is_quick=args.quick,
    )


if __name__ == "__main__":
    main()
