"""Write what ghz, k6 and `polyseme bench` send, from bench/data/public-domain.txt: the same texts for all three.

Usage: python bench/load/ghz/make_data.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).parents[3]
DATA = ROOT / "bench/load/ghz/data"
SENTENCES = ROOT / "cli/polyseme/cli/load/sentences.txt"
TEXTS_A_CALL = 32
CALLS = 8  # different ones, where a call has many texts
_END = re.compile(r".+?(?<!Mr)(?<!Mrs)[.!?]\"?(?=\s+[\"A-Z]|$)")


def sentences() -> list[str]:
    """Each sentence of the texts, in their order."""
    content = (ROOT / "bench/data/public-domain.txt").read_text(encoding="utf-8")
    return [found.strip() for line in content.splitlines() for found in _END.findall(line)]


def groups(texts: Sequence[str], size: int, count: int) -> list[list[str]]:
    """So many groups of so many texts, beginning again after the last."""
    endless = cycle(texts)
    return [list(islice(endless, size)) for _ in range(count)]


def write(name: str, calls: object) -> None:
    """One file, which ends with a newline."""
    (DATA / name).write_text(json.dumps(calls, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    texts = sentences()
    cut = {"truncate": "TRUNCATE_END"}
    SENTENCES.write_text("\n".join(texts) + "\n", encoding="utf-8")
    write("single.json", [{"texts": [text], "text_options": cut} for text in texts])
    many = groups(texts, TEXTS_A_CALL, CALLS)
    write("texts-32.json", [{"texts": group, "text_options": cut} for group in many])
    write("words.json", [{"inputs": [{"text": text}], "text_options": cut} for text in texts])
    # One stream sends the array's messages, one after the other.
    write("stream.json", [{"embed": {"texts": [text], "text_options": cut}} for text in islice(texts, TEXTS_A_CALL)])


if __name__ == "__main__":
    main()
