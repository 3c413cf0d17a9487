"""Run simulations of who runs next, and judge each; a seed gives the same simulation at every run.

Usage: python -m bench.simulation.simulate [--seed N | --seeds 10000]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from bench.simulation.invariants import Violation, violations
from bench.simulation.scenario import scenario
from bench.simulation.virtual_time import HangError
from bench.simulation.world import simulate


def judge(seed: int) -> list[Violation]:
    """Run one simulation; gives what does not hold in it."""
    drawn = scenario(seed)
    try:
        return list(violations(drawn, simulate(drawn).events))
    except HangError as hang:
        return [Violation("ends once", str(hang))]


def first_violation(seeds: range, invariant: str) -> tuple[int, Violation] | None:
    """Give the first seed in which an invariant does not hold, and where."""
    for seed in seeds:
        for violation in judge(seed):
            if violation.invariant == invariant:
                return seed, violation
    return None


def show(seed: int) -> None:
    """Print one simulation."""
    drawn = scenario(seed)
    print(f"seed {seed}: {len(drawn.arrivals)} calls, {drawn.runners} runners, {drawn.policy}")
    world = simulate(drawn)
    print(f"{world.loop.time():.3f} s of virtual time, {len(world.events)} events")
    for outcome, count in Counter(event.detail for event in world.events if event.kind == "ended").most_common():
        print(f"  {count:4} calls: {outcome}")


def main() -> int:
    """Print what does not hold; exit status 1 where anything does not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="one simulation, printed")
    parser.add_argument("--seeds", type=int, default=200, help="so many simulations")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds) if arguments.seed is None else range(arguments.seed, arguments.seed + 1)
    if arguments.seed is not None:
        show(arguments.seed)
    started, failed = time.perf_counter(), 0
    for seed in seeds:
        found = judge(seed)
        failed += bool(found)
        for violation in found:
            print(f"seed {seed}: {violation.invariant}: {violation.what}")
    print(f"{failed} of {len(seeds)} simulations break an invariant ({time.perf_counter() - started:.0f} s)")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
