"""polyseme embed --input FILE: killed with SIGKILL at random moments, gone on with, compared with a run that was not.

Usage: python -m bench.serving.bulk ARTIFACT [--rows 100000] [--kills 3] [--seed 20261123] [--write]

The server runs one text at a time (--max-batch-texts 1): a vector then does not depend, in its last bits, on the texts
that happen to share its batch, and files can be compared byte by byte. Exit code 1 where they differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.lib.machine import heading
from bench.lib.server import server
from bench.lib.texts import public_domain_words

from polyseme.client import Client

RESULT = Path(__file__).parents[1] / "results/bulk.md"
BATCHED_ROWS = 5_000
_NOTES = """\
- *rows kept* is what the journal counted when the process was gone; the next run goes on there.
- Files are compared byte by byte, on a server that runs one text at a time. Where texts share batches, the last bits of
  a vector depend on its company, in any two runs, killed or not: see *batches*.
- Client and server share the cores, with whatever else runs there: the rate is that machine's, at that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One run that was killed.

    Attributes:
        kept: rows that the journal counted then.
        ran_s: how long it had run.
    """

    kept: int
    ran_s: float


def write_texts(path: Path, rows: int, seed: int) -> list[str]:
    """Texts of 3 to 8 words behind their row's number: no two are the same."""
    words, draw = public_domain_words(), random.Random(seed)
    texts = []
    for row in range(rows):
        start, length = draw.randrange(len(words) - 8), draw.randint(3, 8)
        texts.append(f"{row} {' '.join(words[start : start + length])}")
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return texts


def embed(target: str, given: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start the command."""
    command = [sys.executable, "-m", "polyseme.cli.main", "embed", "--input", str(given), "-o", str(out)]
    return subprocess.Popen([*command, "--target", target], stderr=subprocess.DEVNULL)


def finish(process: subprocess.Popen[bytes]) -> float:
    """Wait for its end; gives the seconds."""
    started = time.perf_counter()
    if code := process.wait():
        raise SystemExit(f"polyseme embed ended with exit code {code}")
    return time.perf_counter() - started


def kill_at(process: subprocess.Popen[bytes], out: Path, rows: int, delay_s: float) -> Kill:
    """Kill it so long after its journal counted so many rows."""
    started = time.perf_counter()
    while rows_kept(out) < rows:
        if process.poll() is not None:
            raise SystemExit(f"polyseme embed ended with exit code {process.returncode}, and was to be killed")
        time.sleep(0.02)
    time.sleep(delay_s)
    process.kill()
    process.wait()
    return Kill(kept=rows_kept(out), ran_s=time.perf_counter() - started)


def rows_kept(out: Path) -> int:
    """What the journal counts; its last line may be half written."""
    journal = out.with_name(f"{out.name}.journal")
    lines = journal.read_bytes().split(b"\n")[1:-1] if journal.exists() else []
    return int(json.loads(lines[-1])["rows"]) if lines else 0


def measure(artifact: Path, rows: int, kills: int, seed: int, folder: Path) -> tuple[list[str], bool]:
    """Run all; gives what was seen, and whether it is as it should be."""
    draw, given = random.Random(seed), folder / "texts.txt"
    texts = write_texts(given, rows, seed)
    whole, resumed = folder / "whole.npy", folder / "resumed.npy"
    with server(artifact, "--max-batch-texts", "1") as target:
        whole_s = finish(embed(target, given, whole))
        moments = sorted(draw.uniform(0.02, 0.95) for _ in range(kills))
        killed = [kill_at(embed(target, given, resumed), resumed, int(rows * at), draw.uniform(0, 1)) for at in moments]
        last_s = finish(embed(target, given, resumed))
    vectors = np.load(resumed)
    duplicates = len(vectors) - len(np.unique(vectors, axis=0))
    missing = int(np.isnan(vectors).any(axis=1).sum())
    one, other = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, resumed))
    left = {path.name for path in folder.iterdir()} - {"texts.txt", "whole.npy", "resumed.npy"}
    lines = [
        f"rows:       {len(vectors):,} of {len(texts):,} texts, no two the same; {missing} without a vector",
        *(f"kill {n}:     after {k.ran_s:.1f} s, {k.kept:,} rows kept" for n, k in enumerate(killed, 1)),
        f"duplicates: {duplicates}",
        f"equal:      {one == other} (sha256 {other[:16]}; uninterrupted {one[:16]})",
        f"left over:  {', '.join(sorted(left)) or 'nothing'}",
        f"rate:       {rows / whole_s:.0f} rows/s uninterrupted, with the start of the process",
        f"time:       {whole_s:.1f} s uninterrupted; {sum(kill.ran_s for kill in killed) + last_s:.1f} s in "
        f"{kills + 1} runs, each with its start",
    ]
    return lines, one == other and len(vectors) == rows and not (duplicates or missing or left)


def batches(artifact: Path, texts: Sequence[str]) -> str:
    """How far two runs differ where texts share batches."""
    with server(artifact) as target, Client(target) as client:
        first, again = (np.stack(list(client.embed_stream(texts))) for _ in range(2))
    differs = (first != again).any(axis=1).mean()
    return (
        f"batches:    with the server's defaults {differs:.1%} of {len(texts):,} vectors differ between two runs of "
        f"embed_stream, by {np.abs(first - again).max():.1e} at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--write", action="store_true", help="keep the result in bench/results/bulk.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines, passed = measure(args.artifact, args.rows, args.kills, args.seed, Path(folder))
        texts = write_texts(Path(folder) / "texts.txt", BATCHED_ROWS, args.seed)
    lines.append(batches(args.artifact, texts))
    text = "\n".join([heading(), "", *lines])
    print(text)
    if args.write and passed:
        title = "# Bulk: killed and gone on with"
        RESULT.write_text(f"{title}\n\n```\n{text}\n```\n\n{_NOTES}\n", encoding="utf-8")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
