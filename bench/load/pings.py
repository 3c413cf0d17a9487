"""Whether a server, or a proxy, bears the pings of the SDK: pings that the SDK sends, and GOAWAYs that come back.

Clients with the SDK's defaults, each with a connection of its own: one that is idle but for the health that it watches,
and some that call now and then.

Usage: python -m bench.load.pings HOST:PORT [--minutes 10]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from bench.lib.machine import heading
from bench.lib.relay import GOAWAY, PING, Relay

from polyseme.client import AsyncClient

PAUSES_S = (3600.0, 30.0, 5.0, 0.1)


async def call_every(pause_s: float, target: str, seconds: float) -> None:
    """Call, pause, and so on for so long."""
    async with AsyncClient(target) as client:
        for _ in range(round(seconds / pause_s)):
            await client.embed("We sat on the bank of the river.")
            await asyncio.sleep(pause_s)
        await client.embed("a")


async def watch(target: str, seconds: float) -> None:
    """Print what goes over the wire of each case; all go on side by side."""
    with contextlib.ExitStack() as stack:
        relays = [stack.enter_context(Relay(target)) for _ in PAUSES_S]
        cases = zip(PAUSES_S, relays, strict=True)
        await asyncio.gather(*(call_every(min(pause, seconds), relay.target, seconds) for pause, relay in cases))
        for pause, relay in zip(PAUSES_S, relays, strict=True):
            print(
                f"a call every {min(pause, seconds):g} s, for {seconds:g} s: "
                f"{relay.from_client[PING]} pings from the client, {relay.from_server[PING]} from the server, "
                f"{relay.from_server[GOAWAY]} GOAWAYs from the server",
                flush=True,
            )


def main() -> None:
    """Print what went over the wire."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_args()
    print(heading())
    asyncio.run(watch(args.target, args.minutes * 60))


if __name__ == "__main__":
    main()
