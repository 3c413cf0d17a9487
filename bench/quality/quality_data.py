"""The evaluation sets of quality.py, and the scores that they are read with. Pure, but for reading files."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass

import numpy as np
from bench.lib.texts import evaluation_file
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
_FOLDS = 10
_DRAWS = 1000
_SEED = 20261123


@dataclass(frozen=True, slots=True, kw_only=True)
class SentencePairs:
    """STS Benchmark: pairs of sentences and how alike people found them, 0 to 5."""

    left: list[str]
    right: list[str]
    judged: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPairs:
    """MCL-WiC: one word in two sentences, in the same sense or not.

    Attributes:
        left: the sentences, and in `left_spans` where the word stands, in code points.
        same: whether the sense is the same.
        lemmas: the word's number; pairs of one word share their first sentence, and are kept together in every fold.
    """

    left: list[str]
    left_spans: list[tuple[int, int]]
    right: list[str]
    right_spans: list[tuple[int, int]]
    same: BoolArray
    lemmas: IntArray

    def only(self, chosen: BoolArray) -> WordPairs:
        """Some of the pairs, [N]."""
        numbers = np.flatnonzero(chosen).tolist()
        return WordPairs(
            left=[self.left[i] for i in numbers],
            left_spans=[self.left_spans[i] for i in numbers],
            right=[self.right[i] for i in numbers],
            right_spans=[self.right_spans[i] for i in numbers],
            same=self.same[chosen],
            lemmas=self.lemmas[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How well a cosine tells senses apart.

    Attributes:
        accuracy: share of pairs that are right, each judged by a threshold chosen on other words.
        accuracy_error: its standard error, pairs of one word counted as one draw.
        auc: the chance that a pair of one sense has a higher cosine than a pair of two; 0.5 is none.
        auc_error: its standard error, from draws of words with replacement.
    """

    accuracy: float
    accuracy_error: float
    auc: float
    auc_error: float


def sentence_pairs() -> SentencePairs:
    """STS Benchmark dev."""
    with evaluation_file("stsbenchmark-dev.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) >= 7]
    return SentencePairs(
        left=[row[5] for row in rows],
        right=[row[6] for row in rows],
        judged=np.array([float(row[4]) for row in rows]),
    )


def word_pairs() -> WordPairs:
    """MCL-WiC dev, English."""
    pairs = json.loads(evaluation_file("wic-dev.json").read_text(encoding="utf-8"))
    gold = json.loads(evaluation_file("wic-dev.gold.json").read_text(encoding="utf-8"))
    tags = {entry["id"]: entry["tag"] for entry in gold}
    numbers = {key: i for i, key in enumerate(dict.fromkeys((pair["lemma"], pair["pos"]) for pair in pairs))}
    return WordPairs(
        left=[pair["sentence1"] for pair in pairs],
        left_spans=[(int(pair["start1"]), int(pair["end1"])) for pair in pairs],
        right=[pair["sentence2"] for pair in pairs],
        right_spans=[(int(pair["start2"]), int(pair["end2"])) for pair in pairs],
        same=np.array([tags[pair["id"]] == "T" for pair in pairs]),
        lemmas=np.array([numbers[pair["lemma"], pair["pos"]] for pair in pairs]),
    )


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> FloatArray:
    """Cosine of row i with row i; rounded to 6 places, so that equal vectors tie whatever the order of summation."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    dots: FloatArray = np.einsum("nd,nd->n", a, b) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return dots.round(6)


def spearman(scores: FloatArray, judged: FloatArray) -> float:
    """Spearman's rank correlation."""
    return float(spearmanr(scores, judged).statistic)


def judge(scores: FloatArray, pairs: WordPairs) -> Judgement:
    """Tell senses apart by a threshold on the scores."""
    right = held_out(scores, pairs)
    draws = [auc(scores[draw], pairs.same[draw]) for draw in _draws(pairs.lemmas)]
    return Judgement(
        accuracy=float(right.mean()),
        accuracy_error=_clustered_error(right, pairs.lemmas),
        auc=auc(scores, pairs.same),
        auc_error=float(np.std(draws, ddof=1)),
    )


def auc_difference(scores: FloatArray, others: FloatArray, pairs: WordPairs) -> tuple[float, float]:
    """By how much the AUC of scores exceeds that of others, with its standard error over the same draws of words."""
    draws = [auc(scores[d], pairs.same[d]) - auc(others[d], pairs.same[d]) for d in _draws(pairs.lemmas)]
    return auc(scores, pairs.same) - auc(others, pairs.same), float(np.std(draws, ddof=1))


def held_out(scores: FloatArray, pairs: WordPairs) -> BoolArray:
    """Which pairs are judged right by a threshold chosen on the other folds; the pairs of a word share a fold."""
    words = np.random.default_rng(_SEED).permutation(pairs.lemmas.max() + 1)
    folds = (words % _FOLDS)[pairs.lemmas]
    right = np.zeros(len(scores), dtype=np.bool_)
    for fold in range(_FOLDS):
        test = folds == fold
        right[test] = (scores[test] >= _threshold(scores[~test], pairs.same[~test])) == pairs.same[test]
    return right


def auc(scores: FloatArray, same: BoolArray) -> float:
    """Area under the ROC curve; ties count half."""
    ranks, positives = rankdata(scores), int(same.sum())
    return float((ranks[same].sum() - positives * (positives + 1) / 2) / (positives * (len(same) - positives)))


def _threshold(scores: FloatArray, same: BoolArray) -> float:
    """The lowest of the best: most pairs right where scores at or above it mean the same sense."""
    values = np.unique(scores)
    candidates = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    positives, negatives = np.sort(scores[same]), np.sort(scores[~same])
    right = len(positives) - np.searchsorted(positives, candidates) + np.searchsorted(negatives, candidates)
    return float(candidates[right.argmax()])


def _clustered_error(right: BoolArray, lemmas: IntArray) -> float:
    sums = np.bincount(lemmas, weights=right - right.mean())
    return float(np.sqrt((sums**2).sum()) / len(right))


def _draws(lemmas: IntArray) -> list[IntArray]:
    """Indices of pairs, words drawn with replacement; the same draws at every call."""
    draw = np.random.default_rng(_SEED)
    members = [np.flatnonzero(lemmas == i) for i in range(lemmas.max() + 1)]
    return [np.concatenate([members[i] for i in draw.integers(len(members), size=len(members))]) for _ in range(_DRAWS)]
