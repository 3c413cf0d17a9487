"""Bytes by which the memory of a server grows with each call, by kind of call: what a soak finds, taken apart.

Each kind meets a server of its own, in rounds of as many calls; the first round does not count. Memory is the process's
own. It moves without a leak too: where `plain` grows as much, nothing is shown.

Usage: python -m bench.reliability.growth ARTIFACT [--kinds plain,late] [--calls 6000] [--rounds 3] [--mixed]
  [--checkout OLD]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
from pathlib import Path

import grpc
from bench.lib.machine import heading
from bench.lib.server import environment_of, resident_mib, server_process
from bench.lib.texts import mixed_texts
from bench.reliability.calls import KINDS, Caller, Kind

CALLERS = 6
PATIENCE_S = {False: 0.006, True: 0.02}  # by whether texts are mixed; about as long as a call takes
SHORT = ["We sat on the bank."]


def growth(
    artifact: Path, kind: Kind, calls: int, rounds: int, *, mixed: bool, checkout: Path | None = None
) -> list[float]:
    """Give the MiB that a server holds after each round, the first one too."""
    with server_process(artifact, environment=environment_of(checkout)) as (target, pid):
        held = []
        for _ in range(1 + rounds):
            asyncio.run(_round(target, kind, calls, mixed=mixed))
            held.append(resident_mib(pid))
        return held


async def _round(target: str, kind: Kind, calls: int, *, mixed: bool) -> None:
    draw = random.Random(1)
    texts = mixed_texts(400)[0]
    async with grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:

        async def call_in_a_loop() -> None:
            for _ in range(calls // CALLERS):
                sent = draw.sample(texts, draw.randint(1, 4)) if mixed else SHORT
                with contextlib.suppress(grpc.RpcError, asyncio.CancelledError):
                    await kind(Caller(channel, sent, draw, patience_s=PATIENCE_S[mixed]))

        await asyncio.gather(*(call_in_a_loop() for _ in range(CALLERS)))


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--kinds", default=",".join(KINDS), help="names, with commas")
    parser.add_argument("--calls", type=int, default=6000, help="of a round")
    parser.add_argument("--rounds", type=int, default=3, help="that count")
    parser.add_argument("--mixed", action="store_true", help="1 to 4 texts of mixed lengths a call, not a short one")
    parser.add_argument("--checkout", type=Path, help="whose server is measured; default: this one")
    arguments = parser.parse_args()
    print(heading())
    print(f"{'kind':12} {'MiB after each round':36} bytes a call")
    for name in arguments.kinds.split(","):
        held = growth(
            arguments.artifact,
            KINDS[name],
            arguments.calls,
            arguments.rounds,
            mixed=arguments.mixed,
            checkout=arguments.checkout,
        )
        each = (held[-1] - held[0]) * 2**20 / (arguments.rounds * arguments.calls)
        print(f"{name:12} {' '.join(f'{mib:.2f}' for mib in held):36} {each:8.0f}", flush=True)


if __name__ == "__main__":
    main()
