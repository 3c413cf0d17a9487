"""Every case and its outcome: a table for bench/results/reference.md.

make reference
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.reference.asking import goldens
from tests.reference.asking.outcomes import outcome
from tests.reference.cases import CASES
from tests.reference.known import KNOWN

RESULT = Path(__file__).parents[2] / "bench/results/reference.md"
_WIDEST = 150


def main():
    expected, chosen = goldens.read(), sys.argv[1:]
    outcomes = {}
    for name, case in CASES.items():
        if chosen and not name.startswith(tuple(chosen)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            outcomes[name] = outcome(case, expected, Path(folder))
        print(name, outcomes[name].kind, outcomes[name].detail[:_WIDEST], flush=True)
    counts = Counter(each.kind for each in outcomes.values())
    print(dict(counts))
    if not chosen:
        RESULT.write_text(document(outcomes, counts, goldens.versions()), encoding="utf-8")
    sys.exit(any(each.kind == "wrong" and name not in KNOWN for name, each in outcomes.items()))


def document(outcomes, counts, versions):
    """The table as Markdown."""
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        "# Odd checkpoints against the programs whose formats they have",
        "",
        f"Asked: {programs};",
        "on a CPU in float32, each text alone. Compared: ids and offsets of tokens, the most tokens of a text, what is",
        "cut, prompts, the vectors of texts, and of some cases every state of every token.",
        "",
        f"{len(outcomes)} checkpoints: {counts['equal']} equal, {counts['refused']} refused in one line, "
        f"{counts['wrong']} wrong.",
        "By `make reference`; `make test` compares with the same answers, which lie in tests/reference/goldens.",
        "",
        "| checkpoint | what is odd | outcome |",
        "|---|---|---|",
    ]
    for name, each in sorted(outcomes.items()):
        detail = {"equal": "equal", "refused": f"refused: `{_cell(each.detail)}`"}.get(each.kind)
        detail = detail or f"**wrong** ({KNOWN.get(name, 'not known')})"
        lines.append(f"| {name} | {_cell(CASES[name].what)} | {detail} |")
    return "\n".join(lines) + "\n"


def _cell(text):
    line = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


if __name__ == "__main__":
    main()
