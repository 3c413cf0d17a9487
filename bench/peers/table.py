"""bench/results/peers.md from the rounds that were kept."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from bench.lib.machine import heading
from bench.lib.rounds import Row
from bench.peers.servers import ROOT

RESULT: Final = ROOT / "bench" / "results" / "peers.md"
LEAST_COSINE: Final = 0.99999  # what float32 by another order of sums leaves; bfloat16 gives 0.9999


def write(rounds: dict[str, list[Row]], note: str) -> None:
    """Write it, and print it; the note says what else the machine did."""
    text = "\n".join(_lines(rounds, note))
    print(text)
    RESULT.write_text(text + "\n", encoding="utf-8")


def judged(rounds: dict[str, list[Row]]) -> tuple[dict[str, list[Row]], dict[str, float]]:
    """The rounds of each peer that computes the same; and of those that do not, the least cosine."""
    cosines = {peer: min(row["least_cosine"] for row in of) for peer, of in rounds.items()}
    others = {peer: cosine for peer, cosine in cosines.items() if cosine < LEAST_COSINE}
    return {peer: of for peer, of in rounds.items() if peer not in others}, others


def ratios(rounds: Sequence[Row], case: str, figure: str) -> list[float]:
    """Ours over theirs, of each round."""
    return [row["ours"]["cases"][case][figure] / row["peer"]["cases"][case][figure] for row in rounds]


def _lines(rounds: dict[str, list[Row]], note: str) -> Iterator[str]:
    peers, others = judged(rounds)
    any_row = next(iter(rounds.values()))[0]
    yield from ("# Beside other servers and libraries", "", "```", heading())
    yield f"texts:   {any_row['texts']} tokens on average; float32 everywhere"
    yield from (f"rounds:  {len(of)} of {of[0]['seconds']:g} s a load, {peer}" for peer, of in peers.items())
    yield from ("```", "", _HOW, "", *((note, "") if note else ()))
    for peer, cosine in others.items():
        yield from (f"Not shown: {peer}, whose vectors are others (least cosine to ours {cosine:.5f}).", "")
    yield from ("## Ours over theirs", "")
    for cases, together in _groups(peers):
        yield from _summary(cases, together)
    for peer, of in peers.items():
        yield from _detail(peer, of)


_HOW: Final = """\
Server, load and whatever else there is share the cores: the figure that holds on such a machine is CPU ms a text, of
the process and those below it, from /proc. Figures are medians of the rounds. A ratio is of one round, in which ours
and the peer ran one after the other; behind it stand the least and the greatest. A library in its own process is called
from one thread, one call after the other, and has the threads that it takes by itself. Ours beside it is the server,
called over loopback, with one call of as many texts in flight. How each is called: [bench/peers](../peers)."""


def _groups(peers: dict[str, list[Row]]) -> Iterator[tuple[list[str], dict[str, list[Row]]]]:
    """Peers that were put under the same loads."""
    groups: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for peer, rounds in peers.items():
        groups.setdefault(tuple(rounds[0]["ours"]["cases"]), {})[peer] = rounds
    yield from ((list(cases), of) for cases, of in groups.items())


def _summary(cases: Sequence[str], peers: dict[str, list[Row]]) -> Iterator[str]:
    """Texts a second, and CPU."""
    titles = {"texts_per_s": "texts/s, ours over theirs: more is better", "cpu_ms": "CPU a text: less is better"}
    for figure, title in titles.items():
        yield _row(title, *peers)
        yield _rule(len(peers))
        for case in cases:
            yield _row(case, *(_spread(ratios(rounds, case, figure)) for rounds in peers.values()))
        yield ""


def _detail(peer: str, rounds: Sequence[Row]) -> Iterator[str]:
    yield from (f"## {peer}", "", _about(rounds), "")
    figures = ("texts/s", "theirs", "p50 ms", "theirs", "p99 ms", "theirs", "CPU ms a text", "theirs")
    sender = any(case["sender_cpu_ms"] for case in rounds[0]["peer"]["cases"].values())
    yield _row("load", *figures, *(("CPU of the sender, ours and theirs",) if sender else ()), "calls", "failed")
    yield _rule(len(figures) + sender + 2)
    for case in rounds[0]["ours"]["cases"]:
        cells = []
        for figure, digits in (("texts_per_s", 1), ("p50_ms", 1), ("p99_ms", 0), ("cpu_ms", 2)):
            for side in ("ours", "peer"):
                values = [row[side]["cases"][case][figure] for row in rounds]
                spreads = figure == "texts_per_s" and len(values) > 1
                spread = f" ({min(values):.0f}..{max(values):.0f})" if spreads else ""
                cells.append(f"{statistics.median(values):.{digits}f}{spread}")
        seen = {side: [row[side]["cases"][case] for row in rounds] for side in ("ours", "peer")}
        if sender:
            each = (statistics.median(one["sender_cpu_ms"] for one in of) for of in seen.values())
            cells.append(", ".join(f"{cpu:.2f}" for cpu in each))
        cells += [", ".join(str(sum(one[what] for one in of)) for of in seen.values()) for what in ("calls", "failed")]
        yield _row(case, *cells)
    yield ""


def _about(rounds: Sequence[Row]) -> str:
    memory = {side: statistics.median(row[side]["rss_mib"] for row in rounds) for side in ("ours", "peer")}
    cosine = min(row["least_cosine"] for row in rounds)
    return (
        f"{rounds[0]['peer']['versions']}. Memory {memory['peer']:.0f} MiB, ours {memory['ours']:.0f} MiB; "
        f"least cosine to ours {cosine:.7f}."
    )


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return "|---" * (columns + 1) + "|"
