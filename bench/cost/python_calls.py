"""How many Python functions a server calls for one request, by file: a figure that a busy machine does not move.

Usage: python -m bench.cost.python_calls ARTIFACT [--texts 1] [--calls 200] [--python OTHER_PYTHON] [--top 12]

--python is the interpreter of another version's environment. One caller asks; calls of health, and those that a server
makes while nobody asks, are counted too, but there is next to none of either.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from bench.lib.closed_loop import WARM_UP_CALLS, closed_loop
from bench.lib.machine import heading
from bench.lib.texts import mixed_texts

from polyseme.v1 import embedding_service_pb2 as pb
from polyseme.v1.common_pb2 import TRUNCATE_END, TextOptions

# Begins to count before anything else is imported, and tells what it has counted for each line that it reads.
_SERVER = """
import collections, json, sys, threading
counted, begun = collections.Counter(), {}
def count(frame, event, _):
    if event == "call":
        counted[frame.f_code.co_filename] += 1
def tell():
    sys.setprofile(None)
    for _ in sys.stdin:
        print(json.dumps(dict(counted)), flush=True)
teller = threading.Thread(target=tell, daemon=True)
teller.start()
threading.setprofile(count)
sys.setprofile(count)
from polyseme.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--texts", type=int, default=1)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--top", type=int, default=12)
    args = parser.parse_args()
    texts, _ = mixed_texts(args.texts * args.calls)
    requests = [
        pb.EmbedRequest(
            texts=texts[at : at + args.texts], text_options=TextOptions(truncate=TRUNCATE_END)
        ).SerializeToString()
        for at in range(0, len(texts), args.texts)
    ]
    found = counts(args.python, args.artifact, requests)
    print(heading())
    own = {file: count for file, count in found.items() if file.startswith("polyseme/")}
    print(f"\n{sum(found.values()):8.1f}  Python calls for one Embed of {args.texts}, in {len(found)} files")
    print(f"{sum(own.values()):8.1f}  of them in {len(own)} files of polyseme\n")
    for file, count in sorted(found.items(), key=lambda item: -item[1])[: args.top]:
        print(f"{count:8.1f}  {file}")


def counts(python: str, artifact: Path, requests: list[bytes]) -> dict[str, float]:
    """Python calls of one request, by file."""
    flags = ["--host", "127.0.0.1", "--port", "0", "--metrics-port", "0", "--drain-delay-s", "0"]
    command = [python, "-c", _SERVER, "serve", str(artifact), *flags, "--log-level", "info"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        assert server.stderr
        try:
            target = f"127.0.0.1:{_port(server.stderr)}"
            closed_loop(target, "Embed", requests, 1)
            shares = []
            for _ in range(2):  # the difference of the second: without what only the first calls do
                server.stdin.write("\n")
                server.stdin.flush()
                shares.append(json.loads(server.stdout.readline()))
                if len(shares) == 1:
                    closed_loop(target, "Embed", requests, 1)
        finally:
            server.terminate()
    before, after = shares
    count = len(requests) + WARM_UP_CALLS
    return {
        _short(file): (calls - before.get(file, 0)) / count
        for file, calls in after.items()
        if (calls - before.get(file, 0)) / count >= 0.5
    }


def _port(log: IO[str]) -> int:
    """The port of a server that says it is ready; the rest of its log is read and left."""
    for line in log:
        if found := re.search(r"on 127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=log.read, daemon=True).start()
            return int(found[1])
    raise SystemExit("the server ended before it was ready")


def _short(file: str) -> str:
    """A path below its package's folder."""
    return re.sub(r".*/(?:site-packages|python3\.\d+|(?=polyseme/))/?", "", file)


if __name__ == "__main__":
    main()
