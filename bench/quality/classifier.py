"""A classifier that is fine-tuned, exported and served: its labels and scores beside torch's own.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.classifier CHECKPOINT [--words 20] [-o FILE]
CHECKPOINT is a BERT, such as MiniLM. Needs `make reference`, whose torch runs examples/finetune.py; with
OMP_NUM_THREADS=1 where the machine does other work too, which torch's threads would wait for.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.lib.machine import heading
from bench.lib.server import server
from bench.quality.finetuning import CLASSES, EPOCHS, TEST, WORDS, Reviews, drawn, finetune, reviews, write
from bench.quality.pipelines import LIMIT, PORTION, best, by_label, classes, largest_difference, theirs

from polyseme.client import Client

ROWS = 5_000  # to train on, half of them good
SEED = 0
_PREFACE = """\
# A classifier that is fine-tuned here, exported and served

Whether a review is good or bad, told by its last {words} words, not by all of it: the Large Movie Review data set
(Maas et al. 2011), which is not part of this project. {rows} rows to train on and {test} others to test; of each,
half are good.

1. **train**: `examples/finetune.py --save` trains all encoder layers and BERT's own head (the first token, pooler,
   linear layer) in torch: learning rates 5e-5 and 1e-2, not tuned; {epochs} epochs, products in bfloat16.
2. **torch**: transformers' text-classification pipeline on the checkpoint that this saved, in float32, and
   once more in float64.
3. **served**: `polyseme export` of the same checkpoint, `polyseme serve` in a process of its own, `classify` of the
   SDK, {portion} texts a call. What has more than {limit} tokens would be cut, by both.

The reviews to test are a sample: others would move both accuracies together, by a standard error of about
{sample:.3f}. The times are those of whole commands.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        cpu: seconds, of all its processes.
    """

    seconds: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s of CPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--words", type=int, default=WORDS, help="of each review, its last [%(default)s]")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    arguments = parser.parse_args()
    train, test = reviews(arguments.words)
    rows = drawn(train.labels, ROWS // len(CLASSES), SEED)
    train = Reviews(texts=[train.texts[row] for row in rows], labels=train.labels[rows])
    with tempfile.TemporaryDirectory() as scratch:
        lines = [heading(), *measured(Path(scratch), arguments.checkpoint, train, test)]
    figures = {"words": arguments.words, "rows": ROWS, "test": TEST, "sample": (0.25 * 0.75 / TEST) ** 0.5}
    preface = _PREFACE.format(**figures, epochs=EPOCHS, portion=PORTION, limit=LIMIT)
    report = preface + "\n```\n" + "\n".join(lines) + "\n```\n"
    if arguments.output:
        arguments.output.write_text(report, encoding="utf-8")
    print(report)


def measured(folder: Path, checkpoint: str, train: Reviews, test: Reviews) -> Iterator[str]:
    """Train, export, serve, ask, compare; the lines below the heading."""
    data, tuned = folder / "reviews.tsv", folder / "moods"  # as pipelines_peer.py calls it
    write(data, train, test)
    training = run([*finetune(checkpoint, data), "--save", str(tuned)])
    with_head, without = folder / "with-head", folder / "without-head"
    export = [sys.executable, "-m", "polyseme.cli.main", "export", str(tuned), "--max-length", str(LIMIT)]
    exports = {
        "with the head": (with_head, run([*export, "-o", str(with_head)])),
        "without": (without, run([*export, "-o", str(without), "--heads", "none"])),
    }
    torch, exact = theirs(folder, test.texts), theirs(folder, test.texts, dtype="float64")
    wanted, truth = by_label(torch["classes"]), by_label(exact["classes"])
    with server(with_head) as one, server(without) as other, Client(one) as client, Client(other) as bare:
        found = [each for texts in portions(test.texts) for each in classes(client, texts)]
        vectors, others = ([asked.embed(texts) for texts in portions(test.texts)] for asked in (client, bare))
    yield f"beside:  torch {torch['torch']}, transformers {torch['transformers']}"
    yield ""
    yield f"{'':<28}{'torch':>10}{'served':>10}{'served beside torch':>22}"
    same = sum(best(a) == best(b) for a, b in zip(found, wanted, strict=True))
    yield f"{'accuracy':<28}{accuracy(wanted, test):>10.3f}{accuracy(found, test):>10.3f}"
    yield f"{'the same label':<28}{'':>20}{f'{same} of {len(found)}':>22}"
    off = largest_difference(found, wanted)
    yield f"{'scores differ by':<28}{'':>20}{off:>22.1e}"
    off_truth = (largest_difference(each, truth) for each in (wanted, found))
    yield f"{'and from those in float64 by':<28}" + "".join(f"{off:>10.1e}" for off in off_truth)
    yield ""
    yield f"training:              {training}"
    for name, (artifact, cost) in exports.items():
        size = sum(file.stat().st_size for file in artifact.rglob("*") if file.is_file()) / 1e6
        yield f"{f'export {name}:':<23}{cost}; {size:.2f} MB of files"
    equal = sum(int((a == b).all(axis=1).sum()) for a, b in zip(vectors, others, strict=True))
    yield f"vectors of rows:       {equal} of {len(found)} are the same to the last bit with the head and without"


def portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts of each call."""
    for start in range(0, len(texts), PORTION):
        yield texts[start : start + PORTION]


def accuracy(found: Sequence[dict[str, float]], test: Reviews) -> float:
    """Share of the rows whose best label is right."""
    right = [best(scores) == CLASSES[label] for scores, label in zip(found, test.labels, strict=True)]
    return sum(right) / len(right)


def run(command: Sequence[str]) -> Cost:
    """Run a command to its end, and say what it took."""
    before, began = _cpu(), time.monotonic()
    subprocess.run(command, check=True)
    return Cost(seconds=time.monotonic() - began, cpu=_cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
