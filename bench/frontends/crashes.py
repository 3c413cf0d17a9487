"""What callers see when a front end is killed, and when the engine is: two front ends, an engine, 32 calls in flight.

Usage: python -m bench.frontends.crashes ARTIFACT
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from bench.frontends.run import CONNECTIONS, LOADS, PATH, Arrangement, serving
from bench.lib.machine import heading
from bench.lib.sender import send

SECONDS = 3.0


def main() -> None:
    """Kill each once, a second after the load began."""
    artifact, load = Path(sys.argv[1]), LOADS[0]
    print(heading(), "", sep="\n")
    for victim in ("nothing", "a front end", "the engine"):
        with serving(Arrangement("grpc", 2, "apart"), artifact, load) as (target, fronts, engines):
            if victim != "nothing":
                pid = fronts[0] if victim == "a front end" else engines[0]
                threading.Timer(1.0, os.kill, (pid, signal.SIGKILL)).start()
            sent = send(
                target,
                PATH,
                load.requests(),
                in_flight=32,
                seconds=SECONDS,
                warm_up=0,
                connections=CONNECTIONS,
            )
        last = f", the first with: {sent.error}" if sent.failed else ""
        print(f"{victim} killed: {sent.answered} calls answered, {sent.failed} failed{last}")


if __name__ == "__main__":
    main()
