"""The texts that benches run on: evaluation data from the folder POLYSEME_EVAL_DATA, else public domain."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

MIXED = "texts-mixed.jsonl"
_PUBLIC_DOMAIN = Path(__file__).parents[1] / "data" / "public-domain.txt"
# The mix of texts-mixed.jsonl: share of texts, fewest words, most words.
_MIX = ((0.4, 3, 14), (0.4, 15, 55), (0.2, 56, 260))


def mixed_texts(count: int) -> tuple[list[str], str]:
    """Texts of a realistic length mix, and where they are from.

    The evaluation file is 4,000 cuts from the Large Movie Review data set (Maas et al. 2011), one {"text": ...} a line.
    """
    folder = os.environ.get("POLYSEME_EVAL_DATA")
    if folder is None:
        return _public_domain_mix(count), f"{_PUBLIC_DOMAIN.name} (POLYSEME_EVAL_DATA is not set)"
    lines = evaluation_file(MIXED).read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    return [texts[i % len(texts)] for i in range(count)], MIXED


def evaluation_file(name: str) -> Path:
    """A file of the evaluation folder.

    Raises:
        SystemExit: it is not there; says which, and where people get it.
    """
    mcl_wic = "of MCL-WiC (SemEval-2021 task 2, Martelli et al. 2021, github.com/SapienzaNLP/mcl-wic)"
    origin = {
        MIXED: "cut from the Large Movie Review data set (Maas et al. 2011), one JSON object with `text` a line",
        "wic-dev.json": f"dev.en-en.data {mcl_wic}",
        "wic-dev.gold.json": f"dev.en-en.gold {mcl_wic}",
        "stsbenchmark-dev.tsv": "the official dev file of the STS Benchmark (Cer et al. 2017), sts-dev.csv",
        "CoarseWSD-20": "a folder of CoarseWSD-20 (Loureiro et al. 2021, github.com/danlou/bert-disambiguation, data)",
        "imdb.csv": "the Large Movie Review data set (Maas et al. 2011) as one CSV, columns review and sentiment",
        "xquad.en.json": "the English part of XQuAD (Artetxe et al. 2020, github.com/google-deepmind/xquad)",
    }
    whence = origin[name.partition("/")[0]]
    folder = os.environ.get("POLYSEME_EVAL_DATA")
    if not folder:
        raise SystemExit(f"set POLYSEME_EVAL_DATA to a folder with {name}: {whence}")
    path = Path(folder) / name
    if not path.is_file():
        raise SystemExit(f"POLYSEME_EVAL_DATA has no {name}: {whence}")
    return path


def public_domain_words() -> list[str]:
    """The words of the public-domain text, in their order."""
    return _PUBLIC_DOMAIN.read_text(encoding="utf-8").split()


def _public_domain_mix(count: int) -> list[str]:
    words = public_domain_words()
    draw = random.Random(20261123)
    texts = []
    for _ in range(count):
        _, fewest, most = draw.choices(_MIX, weights=[share for share, _, _ in _MIX])[0]
        length = draw.randint(fewest, most)
        start = draw.randrange(len(words) - length)
        texts.append(" ".join(words[start : start + length]))
    return texts
