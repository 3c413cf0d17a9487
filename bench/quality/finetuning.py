"""A head on frozen vectors, the top layers tuned, or all of them: accuracy by how many rows there are to train on.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.finetuning ARTIFACT CHECKPOINT [-o FILE]
CHECKPOINT is the folder that ARTIFACT was made of. Needs `make reference`, whose torch runs examples/finetune.py; with
OMP_NUM_THREADS=1 where the machine does other work too, which torch's threads would wait for.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.lib.machine import heading
from bench.lib.texts import evaluation_file
from numpy.typing import NDArray

from polyseme.artifact import Artifact, Pooling
from polyseme.export.fitting.choice import choose
from polyseme.export.fitting.classifier import DEFAULT_PENALTY, trained
from polyseme.export.fitting.vectors import POOLINGS, vectors_of

ROOT = Path(__file__).parents[2]
TORCH, FINETUNE = ROOT / ".venv-reference/bin/python", ROOT / "examples/finetune.py"
SIZES = (25, 100, 500, 2500)  # rows of each of two classes
SEEDS, EPOCHS = 3, 2
TEST, WORDS = 1_000, 20
SEED = 20261128
CLASSES = ("negative", "positive")  # as imdb.csv calls them
IntArray = NDArray[np.int64]
Figures = dict[str, dict[int, list[float]]]
"""Accuracies by what was trained and by size, one a draw."""
_PREFACE = """\
# All layers, some layers, or a head alone, by how many rows there are

Whether a review is good or bad, told by its last {words} words: the Large Movie Review data set (Maas et al. 2011),
which is not part of this project. {test} reviews to test, half of them good, are the same throughout; rows to train
on are drawn anew for each of {seeds} draws, half of them good. The figure is the accuracy, ± the standard error
over draws. The reviews to test are themselves a sample: others would move all figures together, by a standard error
of about {sample:.3f}.

- **head on the last layer**: logistic regression on the mean of its token vectors; nothing of the model is trained.
- **head, layer chosen**: what `polyseme fit` does: layer, pooling and penalty by cross-validation on the rows to
  train on.
- **last two layers**, **all encoder layers**: examples/finetune.py, which trains them and a head on the mean of the
  last layer; learning rates 5e-5 and 1e-2, products in bfloat16, batches of 16, {epochs} epochs or 60 steps where
  that is more. They were not tuned.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """Ends of reviews.

    Attributes:
        texts: of each.
        labels: 1: good, 0: bad.
    """

    texts: list[str]
    labels: IntArray


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("--trained", type=Path, metavar="FILE", help="lines of JSON that an earlier run has printed")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    arguments = parser.parse_args()
    train, test = reviews()
    draws = {(size, seed): drawn(train.labels, size, seed) for size in SIZES for seed in range(SEEDS)}
    began = time.monotonic()
    of_layers = (
        tuned(arguments.checkpoint, train, test, draws) if arguments.trained is None else read(arguments.trained)
    )
    tuned_in = time.monotonic() - began
    artifact = Artifact.open(arguments.artifact)
    figures = {**heads(artifact, train, test, draws), **of_layers}
    fitted_in = time.monotonic() - began - tuned_in
    lines = [
        heading(),
        f"model:   {artifact.manifest.name}@{artifact.manifest.version}, and its checkpoint in torch",
        f"data:    {len(train.texts)} rows to draw from, {len(test.texts)} to test",
        "",
        *table(figures),
        "",
        f"all heads: {fitted_in:.0f} s" + ("" if arguments.trained else f"; all trainings of layers: {tuned_in:.0f} s"),
    ]
    preface = _PREFACE.format(words=WORDS, test=TEST, seeds=SEEDS, epochs=EPOCHS, sample=(0.25 * 0.75 / TEST) ** 0.5)
    report = preface + "\n```\n" + "\n".join(lines) + "\n```\n"
    if arguments.output:
        arguments.output.write_text(report, encoding="utf-8")
    print(report)


def reviews(words: int = WORDS) -> tuple[Reviews, Reviews]:
    """Rows to draw from and rows to test, their last words; no review is twice among them."""
    with evaluation_file("imdb.csv").open(encoding="utf-8", newline="") as file:
        each = {row["review"]: row["sentiment"] for row in csv.DictReader(file)}
    ends = [(" ".join(review.replace("<br />", " ").split()[-words:]), said) for review, said in each.items()]
    random.Random(SEED).shuffle(ends)
    by_class = [[end for end, said in ends if said == name] for name in CLASSES]
    half, most = TEST // 2, max(SIZES) * 3
    return tuple(  # type: ignore[return-value]  # two of them
        Reviews(
            texts=[text for part in parts for text in part], labels=np.repeat([0, 1], [len(part) for part in parts])
        )
        for parts in ([part[half : half + most] for part in by_class], [part[:half] for part in by_class])
    )


def drawn(labels: IntArray, size: int, seed: int) -> IntArray:
    """Indices of so many rows of each class; as examples/probe.py draws them."""
    draw = np.random.default_rng(seed)
    return np.concatenate([draw.permutation(np.flatnonzero(labels == c))[:size] for c in range(labels.max() + 1)])


def heads(artifact: Artifact, train: Reviews, test: Reviews, draws: dict[tuple[int, int], IntArray]) -> Figures:
    """Accuracy of heads on frozen vectors."""
    vectors, asked = vectors_of(artifact, train.texts), vectors_of(artifact, test.texts)
    figures: Figures = defaultdict(lambda: defaultdict(list))
    mean = POOLINGS.index(Pooling.MEAN)
    for (size, _), rows in draws.items():
        labels = train.labels[rows]
        choice = choose(vectors[:, :, rows], labels, class_weight="none")
        chosen = choice.best.layer, POOLINGS.index(choice.best.pooling)
        for name, (layer, place), penalty in (
            ("head on the last layer", (-1, mean), DEFAULT_PENALTY),
            ("head, layer chosen", chosen, choice.penalty),
        ):
            head = trained(vectors[layer, place, rows], labels, 2, penalty=penalty, class_weight="none")
            right = head.logits(asked[layer, place]).argmax(axis=1) == test.labels
            figures[name][size].append(float(right.mean()))
    return figures


def tuned(checkpoint: str, train: Reviews, test: Reviews, draws: dict[tuple[int, int], IntArray]) -> Figures:
    """Accuracy of tuned layers: examples/finetune.py, which draws the same rows."""
    figures: Figures = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "reviews.tsv")
        write(data, train, test)
        sizes = sorted({size for size, _ in draws})
        command = [*finetune(checkpoint, data), "--sizes", *sizes, "--seeds", SEEDS, "--json"]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as running:
            for line in running.stdout or ():
                print(line, end="", flush=True)
                one = json.loads(line)
                figures[one["tuned"]][one["size"]].append(one["accuracy"])
        if running.returncode:
            raise SystemExit(f"examples/finetune.py ended with {running.returncode}")
    return figures


def write(path: Path, train: Reviews, test: Reviews) -> None:
    """A file that examples/finetune.py reads."""
    lines = [
        f"{part}\t{CLASSES[label]}\t{text}"
        for part, rows in (("train", train), ("test", test))
        for text, label in zip(rows.texts, rows.labels, strict=True)
    ]
    path.write_text("\n".join(["part\tlabel\ttext", *lines]) + "\n", encoding="utf-8")


def finetune(checkpoint: str, data: Path) -> list[str]:
    """The command that trains on what `write` has written."""
    columns = ["--data", str(data), "--text", "text", "--label", "label"]
    return [str(TORCH), str(FINETUNE), checkpoint, *columns, "--epochs", str(EPOCHS), "--bfloat16"]


def read(trained: Path) -> Figures:
    """The same from the lines that an earlier run has printed."""
    figures: Figures = defaultdict(lambda: defaultdict(list))
    for line in trained.read_text(encoding="utf-8").splitlines():
        if line.startswith("{"):
            one = json.loads(line)
            figures[one["tuned"]][one["size"]].append(one["accuracy"])
    return figures


def table(figures: Figures) -> Iterator[str]:
    """A line for each way, a column for each size."""
    yield f"{'rows to train on':<24}" + "".join(f"{2 * size:>18}" for size in SIZES)
    for name, by_size in figures.items():
        cells = [(np.mean(each), np.std(each, ddof=1) / len(each) ** 0.5) for each in map(by_size.__getitem__, SIZES)]
        yield f"{name:<24}" + "".join(f"{f'{mean:.3f} ± {error:.3f}':>18}" for mean, error in cells)


if __name__ == "__main__":
    main()
