"""What loadtest.py --write leaves behind: bench/results/{ghz,k6,bench}.md, bench.svg, figures in the docs."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.server import server
from bench.load.loadtools import ROOT, Seen, Tool, output_of

RESULTS = ROOT / "bench/results"
DOCS = ROOT / "docs/load-testing.md"
CONFIGURATIONS = (
    "embed",
    "embed-rate",
    "embed-protoset",
    "texts-32",
    "texts-32-rate",
    "words",
    "words-rate",
    "stream",
)
QUEUE_TOKENS = 8192
_NOTE = "Load generator and server share the cores: read shapes and ratios, not rates."


def record(
    artifact: Path, target: str, found: Sequence[Tool], seen: Mapping[tuple[str, str], Seen], table: str, seconds: int
) -> None:
    """Run what is left to run, and write all files."""
    programs = {tool.name: tool.program for tool in found}
    if ghz := programs.get("ghz"):
        texts = {
            f"ghz --config bench/load/ghz/{name}.json": output_of(
                [ghz, "--config", f"bench/load/ghz/{name}.json", target]
            )
            for name in CONFIGURATIONS
        }
        _write("ghz", "ghz against the server", texts)
    if "k6" in programs:
        texts = {
            f"k6 run --no-usage-report -e ONLY={loop} bench/load/k6/embed.js": seen[loop, "k6"].text
            for loop in ("closed", "rate")
        }
        _write("k6", "k6 against the server", texts)
    sweep = _sweep(artifact, seconds)
    own = "polyseme bench"
    texts = {
        f"{own} --concurrency 16": seen["closed", own].text,
        f"{own} --rate R --spacing constant": seen["rate", own].text,
        f"{own} --sweep --duration {seconds} (server: --max-queue-tokens {QUEUE_TOKENS})": sweep,
    }
    picture = "![latency, goodput and refusals over offered load](bench.svg)"
    ratios = f"Ratios to {found[0].name} in the same round:\n\n{table}"
    _write("bench", "`polyseme bench` against the server", texts, f"{ratios}\n\n{picture}")
    _fill_docs(f"```\n{heading()}\n```\n\n{ratios}\n\n```\n{sweep}\n```")


def _sweep(artifact: Path, seconds: int) -> str:
    """On a server whose queue holds about a second of work, so that it refuses within a run."""
    command = [sys.executable, "-m", "polyseme.cli.main", "bench", "--sweep", "--duration", str(seconds)]
    with server(artifact, "--max-queue-tokens", str(QUEUE_TOKENS)) as target:
        return output_of([*command, "--target", target, "--plot", RESULTS / "bench.svg"])


def _write(name: str, title: str, texts: Mapping[str, str], above: str = "") -> None:
    parts = [f"# {title}", _NOTE, f"```\n{heading()}\n```", above]
    parts += [f"## {command}\n\n```\n{text}\n```" for command, text in texts.items()]
    content = "\n\n".join(part for part in parts if part)
    lines = [line.rstrip() for line in content.splitlines()]
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _fill_docs(figures: str) -> None:
    begin, end = "<!-- figures: written by `make loadtest LOADTEST_ARGS=--write` -->", "<!-- end of figures -->"
    text = DOCS.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    DOCS.write_text(pattern.sub(lambda _: f"{begin}\n\n{figures}\n\n{end}", text), encoding="utf-8")
