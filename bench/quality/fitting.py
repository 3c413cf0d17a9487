"""`polyseme fit` beside scikit-learn on sentence-transformers' vectors, on two data sets; and how long it takes.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.fitting ARTIFACT CHECKPOINT [-o FILE]
CHECKPOINT is the folder that ARTIFACT was made of. Needs `make reference`.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.lib.machine import heading, versions
from bench.quality.finetuning import reviews
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from polyseme.artifact import TOKENIZER, Artifact, Pooling
from polyseme.export.fitting.choice import FOLDS, cross_validated, folds_of
from polyseme.export.fitting.classifier import PENALTIES
from polyseme.export.fitting.vectors import POOLINGS, vectors_of
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

ROOT = Path(__file__).parents[2]
PEER = (ROOT / ".venv-reference/bin/python", ROOT / "bench/quality/fitting_peer.py")
ROWS, WORDS = 2_000, 40
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_PREFACE = """\
# `polyseme fit` beside scikit-learn

Each text's class by a classifier that was trained on the other of {folds} folds: the one of `polyseme fit`, on the
vectors that the artifact gives, and scikit-learn's LogisticRegression on those of sentence-transformers, which the
same encoder makes in torch. Both take the mean of the last layer's token vectors, shifted and scaled alike, in the
same folds. "same" is the share of rows that get the same class. The seconds are those of the whole command, from
the file to the new artifact and its report, which tries every layer and pooling, all penalties and a learning
curve.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A data set.

    Attributes:
        name: where it is from.
        texts: of each row.
        labels: indices of classes.
        classes: how many there are.
    """

    name: str
    texts: list[str]
    labels: IntArray
    classes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    arguments = parser.parse_args()
    artifact = Artifact.open(arguments.artifact)
    lines = [f"{'data':<40}{'rows':>6}{'tokens':>8}{'C':>8}{'ours':>8}{'theirs':>8}{'same':>8}"]
    took = timed(arguments.artifact, ends())
    for data in (presidents(), ends()):
        lines += compared(artifact, arguments.checkpoint, data)
    lines += ["", took]
    head = [heading(), f"beside:  {versions('scikit-learn')}, {_peer_version(arguments.checkpoint)}"]
    head.append(f"model:   {artifact.manifest.name}@{artifact.manifest.version}")
    report = _PREFACE.format(folds=FOLDS) + "\n```\n" + "\n".join([*head, "", *lines]) + "\n```\n"
    if arguments.output:
        arguments.output.write_text(report, encoding="utf-8")
    print(report)


def presidents() -> Rows:
    """The sentences of examples/data/addresses.tsv, and who said them."""
    with (ROOT / "examples/data/addresses.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    names = sorted({row["president"] for row in rows})
    labels = np.array([names.index(row["president"]) for row in rows])
    return Rows(name="who said it? addresses.tsv", texts=[row["sentence"] for row in rows], labels=labels, classes=4)


def ends() -> Rows:
    """The last words of reviews, half of them good."""
    train, _ = reviews(WORDS)
    rows = np.concatenate([np.flatnonzero(train.labels == label)[: ROWS // 2] for label in (0, 1)])
    texts = [train.texts[row] for row in rows]
    return Rows(name=f"good or bad? last {WORDS} words of reviews", texts=texts, labels=train.labels[rows], classes=2)


def compared(artifact: Artifact, checkpoint: str, data: Rows) -> Iterator[str]:
    """A line for each penalty."""
    model = artifact.manifest.model
    tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=model.encoder.vocab_size)
    options = EncodeOptions(limit=model.max_tokens, truncate=Truncate.END)
    tokens = np.mean([len(each.ids) for each in tokenizer.encode(data.texts, options)])
    ours = vectors_of(artifact, data.texts)[-1, POOLINGS.index(Pooling.MEAN)]
    theirs = peer(checkpoint, data.texts)["vectors"].astype(np.float64)
    folds = folds_of(data.labels)
    for penalty in PENALTIES:
        found = cross_validated(ours, data.labels, folds, penalty, "none").argmax(axis=1)
        wanted = predicted(theirs, data.labels, folds, penalty)
        right = [(each == data.labels).mean() for each in (found, wanted)]
        same = (found == wanted).mean()
        yield (
            f"{data.name:<40}{len(data.texts):>6}{tokens:>8.1f}{penalty:>8g}{right[0]:>8.3f}{right[1]:>8.3f}{same:>8.2%}"
        )


def predicted(vectors: FloatArray, labels: IntArray, folds: IntArray, penalty: float) -> IntArray:
    """The class of each row, by scikit-learn alone."""
    found = np.empty_like(labels)
    for fold in np.unique(folds):
        test = folds == fold
        mean = vectors[~test].mean(axis=0)
        scale = np.sqrt(((vectors[~test] - mean) ** 2).mean())
        model = LogisticRegression(C=penalty, max_iter=1000).fit((vectors[~test] - mean) / scale, labels[~test])
        found[test] = model.predict((vectors[test] - mean) / scale)
    return found


def peer(checkpoint: str, texts: list[str]) -> dict[str, NDArray[np.float32]]:
    """The arrays of fitting_peer.py."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "texts.json"), Path(folder, "out.npz")
        file.write_text(json.dumps(texts), encoding="utf-8")
        subprocess.run([*map(str, PEER), checkpoint, str(file), str(out)], check=True, stderr=subprocess.DEVNULL)
        with np.load(out) as arrays:
            return dict(arrays)


def timed(artifact: Path, data: Rows) -> str:
    """Run the command on the rows, and say what it took."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "train.jsonl")
        rows = zip(data.texts, data.labels.tolist(), strict=True)
        file.write_text(
            "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows), encoding="utf-8"
        )
        before, began = _cpu(), time.monotonic()
        command = [sys.executable, "-m", "polyseme.cli.main", "fit", str(artifact), "-d", str(file)]
        subprocess.run([*command, "-o", str(Path(folder, "new"))], check=True, stdout=subprocess.DEVNULL)
        took, cpu = time.monotonic() - began, _cpu() - before
    return f"polyseme fit on the {len(data.texts)} reviews: {took:.1f} s, {cpu:.1f} s of CPU"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peer_version(checkpoint: str) -> str:
    return f"sentence-transformers {peer(checkpoint, ['a'])['version']}"


if __name__ == "__main__":
    main()
