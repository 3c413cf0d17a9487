"""Put a server, or a library in its own process, under every load, and note what was seen."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from bench.lib.sender import send
from bench.peers import process
from bench.peers.cases import Case, Texts
from bench.peers.servers import ROOT, Running, Server, Vectors

INSIDE: Final = ROOT / "bench" / "peers" / "inside.py"
WARM_UP_S: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One load on one peer.

    Attributes:
        texts_per_s: answered.
        p50_ms: of a call.
        p99_ms: of a call; the slowest where there are fewer than a hundred.
        cpu_ms: of the peer, a text.
        sender_cpu_ms: of what sends the load, a text; 0 within a process.
        calls: that latencies are of.
        failed: calls that ended otherwise.
    """

    texts_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    sender_cpu_ms: float
    calls: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One start of one peer.

    Attributes:
        cases: what was seen, by the name of the load.
        rss_mib: memory at the end, files that are mapped included.
        vectors: of the probe.
        versions: of what it is made of.
    """

    cases: dict[str, Seen]
    rss_mib: float
    vectors: Vectors
    versions: str

    def as_json(self) -> dict[str, Any]:
        """All but the vectors."""
        cases = {name: asdict(seen) for name, seen in self.cases.items()}
        return {"cases": cases, "rss_mib": self.rss_mib, "versions": self.versions}


def served(server: Server, cases: Sequence[Case], texts: Texts, seconds: float) -> Run:
    """Start a server, and put it under each load."""
    with server.start() as running:
        vectors = server.vectors(running.target, texts.probe)
        seen = {case.name: _load(server, running, case, texts, seconds) for case in cases}
        rss = process.resident_mib(running.pid)
    return Run(cases=seen, rss_mib=rss, vectors=vectors, versions=server.versions())


def _load(server: Server, running: Running, case: Case, texts: Texts, seconds: float) -> Seen:
    before = process.cpu_seconds(running.pid)
    sent = send(
        running.target,
        server.path,
        [server.request(call) for call in texts.calls(case)],
        in_flight=case.in_flight,
        seconds=seconds,
        warm_up=WARM_UP_S,
        protocol=server.protocol,
    )
    cpu = process.cpu_seconds(running.pid) - before
    if sent.failed:
        print(f"{server.name}: {sent.failed} calls failed, the first with: {sent.error}")
    answered = max(1, sent.answered * case.texts)
    return Seen(
        texts_per_s=sent.rate * case.texts,
        p50_ms=sent.percentile_ms(0.5),
        p99_ms=sent.percentile_ms(0.99),
        cpu_ms=cpu * 1e3 / answered,
        sender_cpu_ms=sent.cpu_s * 1e3 / answered,
        calls=len(sent.latencies_s),
        failed=sent.failed,
    )


def within(environment: str, library: str, model: Path, cases: Sequence[Case], texts: Texts, seconds: float) -> Run:
    """Have a library embed in a process of its own."""
    python = ROOT / f".venv-peers-{environment}" / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        job, vectors = Path(folder) / "job.json", Path(folder) / "vectors.npy"
        calls = {case.name: texts.calls(case) for case in cases}
        wanted = {"probe": texts.probe, "seconds": seconds, "warm_up": WARM_UP_S, "cases": calls}
        job.write_text(json.dumps(wanted), encoding="utf-8")
        command = [str(python), str(INSIDE), library, str(model), str(job), str(vectors)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(f"{ended.stderr[-2000:]}\n{library} ended with exit code {ended.returncode}")
        report = json.loads(ended.stdout)
        seen = {name: _seen(figures) for name, figures in report["cases"].items()}
        return Run(cases=seen, rss_mib=report["rss_mib"], vectors=np.load(vectors), versions=report["versions"])


def _seen(figures: dict[str, Any]) -> Seen:
    ordered = sorted(figures["latencies"])
    return Seen(
        texts_per_s=figures["texts_per_s"],
        p50_ms=ordered[len(ordered) // 2] * 1e3,
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3,
        cpu_ms=figures["cpu_ms"],
        sender_cpu_ms=0.0,
        calls=len(ordered),
        failed=0,
    )


def least_cosine(ours: Vectors, theirs: Vectors) -> float:
    """Of the vectors of the same texts."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours.astype(np.float64) * theirs).sum(axis=1) / lengths).min())
