"""What is served of classes and entities against transformers' pipelines, long texts in windows too.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.pipelines CHECKPOINT [--texts 1000] [-o FILE]
CHECKPOINT is a BERT, such as MiniLM; the heads on it are random: labels mean nothing, and change often, so that
many groups begin and end. Needs `make reference`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from bench.lib.machine import heading
from bench.lib.server import server
from bench.lib.texts import mixed_texts
from safetensors.numpy import load_file, save_file

from polyseme.client import Client
from polyseme.export import ExportOptions, export_model

ROOT = Path(__file__).parents[2]
PEER = (ROOT / ".venv-reference/bin/python", ROOT / "bench/quality/pipelines_peer.py")
LABELS = {
    "moods": ("BertForSequenceClassification", ("negative", "neutral", "positive")),
    "names": ("BertForTokenClassification", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")),
}
LIMIT, OVERLAP = 128, 32
STRATEGIES: tuple[Literal["none", "simple", "first", "average", "max"], ...] = (
    "none",
    "simple",
    "first",
    "average",
    "max",
)
PORTION = 32
Found = dict[str, Any]
_PREFACE = """\
# Classes and entities beside transformers' pipelines

The same texts to a server and to transformers' text-classification and token-classification pipelines, of the same
checkpoints: MiniLM's encoder with random heads, whose labels mean nothing and change often. Texts of more than
{limit} tokens are cut to be classified, and for entities are read in windows that have {overlap} tokens in common
(`stride`). An entity is the same where start, end and label are; a text counts as the same where all of its
entities are.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    arguments = parser.parse_args()
    texts, source = mixed_texts(arguments.texts)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number, (name, (architecture, labels)) in enumerate(LABELS.items()):
            with_head(arguments.checkpoint, folder / name, architecture, labels, number)
        lines = compared(texts, ours(folder, texts), theirs(folder, texts))
        report = "\n".join([heading(), f"data:    {len(texts)} texts, {source}", *lines])
    report = _PREFACE.format(limit=LIMIT, overlap=OVERLAP) + f"\n```\n{report}\n```\n"
    if arguments.output:
        arguments.output.write_text(report, encoding="utf-8")
    print(report)


def with_head(checkpoint: Path, target: Path, architecture: str, labels: Sequence[str], seed: int) -> None:
    """Copy a checkpoint with a random head."""
    shutil.copytree(checkpoint, target)
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    config |= {"architectures": [architecture], "id2label": dict(enumerate(labels))}
    config["label2id"] = {label: number for number, label in enumerate(labels)}
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    weights = {f"bert.{key}": value for key, value in load_file(target / "model.safetensors").items()}
    draw = np.random.default_rng(seed)
    weights["classifier.weight"] = draw.normal(0, 0.5, (len(labels), config["hidden_size"])).astype(np.float32)
    weights["classifier.bias"] = np.zeros(len(labels), np.float32)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})


def ours(folder: Path, texts: Sequence[str]) -> Found:
    """Ask a server of both artifacts."""
    for name in LABELS:
        export_model(str(folder / name), folder / f"{name}-served", ExportOptions(name=name, max_tokens=LIMIT))
    found: Found = {"classes": [], "windows": [], "entities": [dict[str, Any]() for _ in texts]}
    with (
        server(folder / "moods-served") as moods,
        server(folder / "names-served") as names,
        Client(moods, timeout=600) as classifier,
        Client(names, timeout=600) as tagger,
    ):
        for start in range(0, len(texts), PORTION):
            some = texts[start : start + PORTION]
            found["classes"] += classes(classifier, some)
            for strategy in STRATEGIES:
                tagged = tagger.entities(some, aggregation=strategy, long_texts="windows", overlap=OVERLAP)
                for row, one in enumerate(tagged, start):
                    kept = "label" if strategy == "none" else "group"
                    found["entities"][row][strategy] = [
                        (each.start, each.end, getattr(each, kept), float(each.score)) for each in one.entities
                    ]
                if strategy == "simple":
                    found["windows"] += [one.info.windows for one in tagged]
    return found


def classes(client: Client, texts: Sequence[str]) -> list[dict[str, float]]:
    """The score of each label, for each text."""
    found = client.classify(texts, long_texts="longest_first")
    return [dict(zip(one.labels, map(float, one.scores), strict=True)) for one in found]


def theirs(folder: Path, texts: Sequence[str], dtype: str = "float32") -> Found:
    """Ask pipelines_peer.py."""
    asked = {"texts": list(texts), "limit": LIMIT, "overlap": OVERLAP, "dtype": dtype}
    (folder / "texts.json").write_text(json.dumps(asked), encoding="utf-8")
    subprocess.run([*map(str, PEER), str(folder)], check=True)
    found: Found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return found


def compared(texts: Sequence[str], ours: Found, theirs: Found) -> Iterator[str]:
    """The lines of the page."""
    yield f"beside:  transformers {theirs['transformers']}"
    long = [count > 1 for count in ours["windows"]]
    yield f"         {sum(long)} texts are in windows, {sum(ours['windows'])} windows in all"
    wanted = by_label(theirs["classes"])
    same = sum(best(a) == best(b) for a, b in zip(ours["classes"], wanted, strict=True))
    off = largest_difference(ours["classes"], wanted)
    yield ""
    yield f"classes: the same label of {same} of {len(texts)} texts; scores differ by {off:.1e} at most"
    yield ""
    titles = ("texts", 7), ("the same", 10), ("long", 7), ("the same", 10), ("entities", 10), ("scores differ by", 18)
    yield "entities  " + "".join(f"{title:>{width}}" for title, width in titles)
    for strategy in STRATEGIES:
        yield of_strategy(strategy, ours["entities"], theirs["entities"], long)


def by_label(rows: Sequence[Sequence[Found]]) -> list[dict[str, float]]:
    """The same of what transformers' pipeline gives: the score of each label, for each text."""
    return [{one["label"]: one["score"] for one in row} for row in rows]


def best(scores: dict[str, float]) -> str:
    """The label of the highest score."""
    return max(scores, key=scores.__getitem__)


def largest_difference(ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]) -> float:
    """Of the score of a label."""
    return max(abs(a[label] - b[label]) for a, b in zip(ours, theirs, strict=True) for label in b)


def of_strategy(strategy: str, ours: Sequence[Found], theirs: Sequence[Found], long: Sequence[bool]) -> str:
    """One line: texts whose entities are the same, those that fit and those in windows."""
    counts, same, entities, off = [0, 0], [0, 0], 0, 0.0
    for mine, other, is_long in zip(ours, theirs, long, strict=True):
        if strategy not in other:
            continue
        kept = "entity" if strategy == "none" else "entity_group"
        wanted = [(one["start"], one["end"], one[kept], one["score"]) for one in other[strategy]]
        found = [tuple(one) for one in mine[strategy]]
        counts[is_long] += 1
        if [one[:3] for one in found] == [one[:3] for one in wanted]:
            same[is_long] += 1
            entities += len(found)
            off = max([off, *(abs(a[3] - b[3]) for a, b in zip(found, wanted, strict=True))])
    return f"{strategy:<10}{counts[0]:>7}{same[0]:>10}{counts[1]:>7}{same[1]:>10}{entities:>10}{off:>18.1e}"


if __name__ == "__main__":
    main()
