"""Clients that others wrote, against the contracts of other servers: their own words.

Usage: python -m bench.protocols.clients ARTIFACT, after `make test-integrations`, which makes their environments.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench.lib.machine import heading
from bench.lib.server import server

ROOT: Final = Path(__file__).parents[2]
MODEL: Final = "all-MiniLM-L6-v2"
GHZ: Final = "v0.120.0"  # that `make ghz` builds; built from source it calls itself dev
TEXT: Final = "We sat on the bank of the river."
REQUESTS: Final = {
    "polyseme.v1.EmbeddingService.Embed": {"texts": [TEXT]},
    "tei.v1.Embed.Embed": {"inputs": TEXT},
    "inference.GRPCInferenceService.ModelInfer": {
        "model_name": MODEL,
        "inputs": [
            {
                "name": "text",
                "datatype": "BYTES",
                "shape": [1],
                "contents": {"bytes_contents": [base64.b64encode(TEXT.encode()).decode()]},
            }
        ],
    },
}


def python_of(client: str) -> Path:
    """The interpreter of a client's own environment."""
    return ROOT / f".venv-client-{client}" / "bin" / "python"


def perf_analyzer(target: str, *flags: str) -> str:
    """Run the perf_analyzer that tritonclient carries; gives what it says."""
    environment = python_of("triton").parents[1]
    libraries = [ROOT / ".cache/libb64/usr/lib/x86_64-linux-gnu", *environment.glob("lib/*/site-packages/nvidia/*/lib")]
    return _said(
        environment / "bin/perf_analyzer",
        *("-m", MODEL, "-u", target, "-i", "grpc", "--string-length", "40", "--concurrency-range", "2"),
        *("--measurement-mode", "count_windows", "--measurement-request-count", "200", "-s", "999", "-r", "3"),
        *flags,
        LD_LIBRARY_PATH=os.pathsep.join(map(str, libraries)),
    )


def ghz(target: str, call: str, *, total: int) -> str:
    """Run ghz by reflection; gives what it says."""
    flags = ("--insecure", "--total", str(total), "--concurrency", "4", "--data", json.dumps(REQUESTS[call]))
    return _said(ROOT / ".cache/bin/ghz", *flags, "--call", call, target)


def versions() -> str:
    """The versions of all clients."""
    listed = ("-m", "pip", "list", "--format", "freeze", "--exclude", "pip")
    told = [_said(python_of(client), *listed) for client in ("tei", "triton")]
    return "\n".join(line.strip() for line in (f"ghz {GHZ}", *told))


def _said(program: Path, *arguments: str, **variables: str) -> str:
    command = [str(program), *arguments]
    done = subprocess.run(
        command, check=True, timeout=300, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, **variables},
    )  # fmt: skip
    return done.stdout


def main() -> None:
    """Print what each client says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    artifact = parser.parse_args().artifact
    print(f"```\n{heading()}\n{versions()}\n```")
    with server(artifact, "--protocols", "tei,kserve", "--reflection") as target:
        runs: dict[str, Callable[[], str]] = {
            "tei-client": partial(_program, "tei", target),
            "tritonclient": partial(_program, "triton", target),
            "perf_analyzer": partial(perf_analyzer, target),
            "perf_analyzer --streaming": partial(perf_analyzer, target, "--streaming"),
            **{f"ghz {call}": partial(ghz, target, call, total=2000) for call in REQUESTS},
        }
        for name, run in runs.items():
            print(f"\n## {name}\n\n```\n{run().strip()}\n```", flush=True)


def _program(client: str, target: str) -> str:
    """Run the program that calls with a client; gives what it says, its vectors shortened."""
    program = ROOT / f"tests/integrations/programs/call_{client}.py"
    told = json.loads(_said(python_of(client), str(program), target, TEXT))
    for name in {"embed", "streamed"} & set(told):
        told[name] = f"{len(told[name])} x {len(told[name][0])}: {told[name][0][:3]} ..."
    return json.dumps(told, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
