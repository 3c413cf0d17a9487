"""Ours beside other servers and libraries: the same model, texts and cores, one at a time, in alternated rounds.

Each round of a peer starts ours, puts it under each load, stops it, and does the same with the peer; in every second
round the peer comes first. A ratio is of one round. What a round saw is kept in .cache/peers: a run that was ended
goes on where it was, and --table writes what there is.

  served       calls to a server from a Go program on the same cores (lib/sender-go), gRPC for ours, HTTP for the others
  in process   a library called from one thread, one call after the other, with the threads that it takes by itself,
               beside calls to our server, as many texts in each, one in flight

Usage: python -m bench.peers.run ARTIFACT MODEL [--peers NAME ...] [--rounds 3] [--seconds 4] [--tei PATH]
       [--table] [--note TEXT]
  MODEL  a sentence-transformers folder with ONNX graphs in it, as `make peers` makes it
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.lib.rounds import Rounds, Row
from bench.peers.cases import IN_PROCESS, SERVED, Case, Texts
from bench.peers.measure import Run, least_cosine, served, within
from bench.peers.servers import ROOT, infinity, ours, tei
from bench.peers.table import write

KEPT: Final = ROOT / ".cache" / "peers" / "rounds.jsonl"
_LIBRARIES: Final = {
    "onnxruntime": "by-hand",
    "openvino": "by-hand",
    "fastembed": "fastembed",
    "sentence-transformers-torch": "sentence-transformers",
    "sentence-transformers-onnx": "sentence-transformers",
    "sentence-transformers-openvino": "sentence-transformers",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is measured beside ours, under which loads."""

    name: str
    cases: Sequence[Case]
    run: Callable[[Texts, float], Run]


def peers(model: Path, binary: Path | None) -> dict[str, Peer]:
    """All that can be, by name."""
    servers = [infinity(model, "torch"), infinity(model, "optimum"), *([tei(model, binary)] if binary else [])]
    found = [Peer(each.name, SERVED, partial(served, each, SERVED)) for each in servers]
    found += [
        Peer(name, IN_PROCESS, partial(within, environment, name, model, IN_PROCESS))
        for name, environment in _LIBRARIES.items()
    ]
    return {peer.name: peer for peer in found}


def measure(peer: Peer, artifact: Path, texts: Texts, seconds: float, number: int) -> Row:
    """One round: ours and a peer, in turn."""
    sides: dict[str, Callable[[], Run]] = {
        "ours": lambda: served(ours(artifact), peer.cases, texts, seconds),
        "peer": lambda: peer.run(texts, seconds),
    }
    runs = {side: sides[side]() for side in (sides if number % 2 else reversed(sides))}
    return {
        "seconds": seconds,
        "texts": f"{texts.origin}; " + ", ".join(f"{kind} {mean:.0f}" for kind, mean in texts.tokens.items()),
        "least_cosine": least_cosine(runs["ours"].vectors, runs["peer"].vectors),
        **{side: run.as_json() for side, run in runs.items()},
    }


def main() -> None:
    """Measure what has not been measured yet, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load, after one that is not counted")
    parser.add_argument("--tei", type=Path, metavar="PATH", help="a text-embeddings-router that was built with HTTP")
    parser.add_argument("--table", action="store_true", help="write bench/results/peers.md from what is kept")
    parser.add_argument("--note", default="", help="a sentence for the table: what else the machine did")
    arguments = parser.parse_args()

    known = peers(arguments.model, arguments.tei)
    texts = Texts.of(arguments.artifact)
    rounds = Rounds(KEPT)
    for number in range(1, arguments.rounds + 1):
        for name in arguments.peers or known:
            if rounds.has(name, number):
                continue
            try:
                seen = measure(known[name], arguments.artifact, texts, arguments.seconds, number)
            except SystemExit as error:  # the others go on
                print(f"{name}, round {number}: {error}", file=sys.stderr, flush=True)
                continue
            rounds.add(name, number, seen)
            print(f"{name}, round {number}: least cosine {seen['least_cosine']:.7f}", flush=True)
    if arguments.table:
        write(rounds.by_name(), arguments.note)


if __name__ == "__main__":
    main()
