"""Which layer for words, which for sentences: MCL-WiC and STS Benchmark dev through a running server.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.quality ARTIFACT... [--layers] [-o FILE] [--kept FILE.npz]
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from bench.lib.kept import KeptArrays
from bench.lib.machine import heading
from bench.lib.server import server
from bench.quality.quality_data import (
    BoolArray,
    FloatArray,
    Judgement,
    SentencePairs,
    WordPairs,
    auc,
    auc_difference,
    cosines,
    judge,
    sentence_pairs,
    spearman,
    word_pairs,
)
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from polyseme.client import Client

Layer = int | Literal["static"]
Combine = Literal["sum", "mean", "concat", "none"]
Subtokens = Literal["first", "last", "first_last", "mean"]
Vectors = NDArray[np.float32]
_POOLINGS: tuple[Subtokens, ...] = ("first", "last", "first_last")
_PREFACE = """\
# Which layer: words in context, and sentences

WiC: MCL-WiC dev, English: is the word used in the same sense in both sentences? The score of a pair is the cosine of
its two word vectors; the threshold is chosen on nine tenths of the words and used on the rest. AUC is the chance that
a pair of one sense scores above a pair of two. ± is one standard error; the pairs of one word count as one draw.

STS: STS Benchmark dev. A text's vector is the mean over its tokens without [CLS] and [SEP]; only the model's own text
vector, `Embed`, has them in the mean. The best row is a little flattered by having been chosen on the same pairs.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to ask the server for."""

    name: str
    layers: tuple[Layer, ...]
    combine: Combine = "sum"
    subtokens: Subtokens = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; None: not measured."""

    name: str
    kind: str
    words: Judgement | None = None
    sentences: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that was measured.

    Attributes:
        rows: in the order of the table.
        words: which row, of layers and combinations, has the highest AUC; gain: its AUC less that of the last layer,
            and the standard error of the difference.
        sentences: which row has the highest Spearman.
        many_tokens: share of the word mentions that are more than one token.
    """

    rows: list[Row]
    words: str
    gain: tuple[float, float]
    sentences: str
    many_tokens: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("artifacts", type=Path, nargs="+", help="folders made by `polyseme export`")
    parser.add_argument("--layers", action="store_true", help="ask for layers alone: a third of the time")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="keep scores in this .npz, and go on from them")
    arguments = parser.parse_args()
    sentences, words = sentence_pairs(), word_pairs()
    parts = [
        heading(),
        f"data:    stsbenchmark-dev.tsv, {len(sentences.left)} pairs; wic-dev.json, {len(words.left)} pairs",
    ]
    for artifact in arguments.artifacts:
        with server(artifact, "--max-queue-tokens", "1000000") as target, Client(target, timeout=600) as client:
            model = client.model()
            identity = model.identity
            owner = f"{identity.name}@{identity.version}"
            kept = KeptArrays(arguments.kept, owner)
            result = measured(client, kept, sentences, words, model.num_hidden_layers, layers_alone=arguments.layers)
        parts += ["", f"model:   {owner}, {identity.precision}, {identity.execution_provider}"]
        parts += [table(result), conclusion(result)]
    report = "\n".join(parts)
    if arguments.output:
        arguments.output.write_text(f"{_PREFACE}\n```\n{report}\n```\n", encoding="utf-8")
    print(report)


def measured(
    client: Client,
    kept: KeptArrays,
    sentences: SentencePairs,
    words: WordPairs,
    num_hidden_layers: int,
    *,
    layers_alone: bool,
) -> Result:
    """Ask the server: for every layer, and unless these are wanted alone, for other poolings and for whole texts."""
    layers, joined = layer_choices(num_hidden_layers), combinations(num_hidden_layers)
    choices = [*layers, *joined]
    of_words = kept.get("words", word_scores, client, choices, words)
    of_sentences = kept.get("sentences", sentence_scores, client, choices, sentences)
    rows = [
        Row(
            name=choice.name,
            kind="layer" if choice in layers else "combination",
            words=judge(word, words),
            sentences=spearman(sentence, sentences.judged),
        )
        for choice, word, sentence in zip(choices, of_words, of_sentences, strict=True)
    ]
    best = int(np.argmax([auc(scores, words.same) for scores in of_words]))
    left, right = several_tokens(client, words)
    if not layers_alone:
        rows += pooling_rows(client, kept, choices[best], words, of_words[best], left | right)
        whole = judge(kept.get("words, text vector", text_scores, client, words.left, words.right), words)
        scores = kept.get("sentences, text vector", text_scores, client, sentences.left, sentences.right)
        own = spearman(scores, sentences.judged)
        rows.append(Row(name="the model's own text vector", kind="baseline", words=whole, sentences=own))
    share = float(max(words.same.mean(), 1 - words.same.mean()))
    majority = Judgement(accuracy=share, accuracy_error=0.0, auc=0.5, auc_error=0.0)
    rows.append(Row(name="always the same answer", kind="baseline", words=majority))
    return Result(
        rows=rows,
        words=choices[best].name,
        gain=auc_difference(of_words[best], of_words[len(layers) - 1], words),
        sentences=max(rows, key=lambda row: row.sentences or 0.0).name,
        many_tokens=float(np.concatenate([left, right]).mean()),
    )


def layer_choices(num_hidden_layers: int) -> list[Choice]:
    """Every state alone."""
    numbers: list[Layer] = ["static", *range(num_hidden_layers + 1)]
    names = {0: "layer 0 (word + position)", num_hidden_layers: f"layer {num_hidden_layers} (last)"}
    return [
        Choice(name=layer if isinstance(layer, str) else names.get(layer, f"layer {layer}"), layers=(layer,))
        for layer in numbers
    ]


def combinations(num_hidden_layers: int) -> list[Choice]:
    """The one that the literature takes; a mean has the direction, hence the cosines, of the sum."""
    return [Choice(name="last four, sum", layers=tuple(range(num_hidden_layers - 3, num_hidden_layers + 1)))]


def word_scores(client: Client, choices: list[Choice], words: WordPairs) -> FloatArray:
    """Cosines of the two mentions of each pair, [choices, N]."""
    left, right = (
        all_layers(client, texts, spans)
        for texts, spans in ((words.left, words.left_spans), (words.right, words.right_spans))
    )
    return np.stack([cosines(joined(left, choice), joined(right, choice)) for choice in choices])


def sentence_scores(client: Client, choices: list[Choice], sentences: SentencePairs) -> FloatArray:
    """Cosines of the token means of each pair, [choices, N]; a span over all of a text leaves special tokens out."""
    left, right = (
        all_layers(client, texts, [(0, len(text)) for text in texts]) for texts in (sentences.left, sentences.right)
    )
    return np.stack([cosines(joined(left, choice), joined(right, choice)) for choice in choices])


def all_layers(client: Client, texts: list[str], spans: list[tuple[int, int]]) -> dict[Layer, Vectors]:
    """[N, H] by layer, `static` too; all of them come in one reply."""
    layers: list[Layer] = ["static", *range(client.model().num_hidden_layers + 1)]
    return dict(
        zip(layers, span_vectors(client, texts, spans, Choice(name="", layers=(*layers,), combine="none")), strict=True)
    )


def joined(by_layer: dict[Layer, Vectors], choice: Choice) -> Vectors:
    """What a server gives for a choice, [N, D]: here of vectors that it gave layer by layer."""
    total: Vectors = np.sum([by_layer[layer] for layer in choice.layers], axis=0)
    return total


def text_scores(client: Client, left: list[str], right: list[str]) -> FloatArray:
    """Cosines of the model's own text vectors of each pair."""
    return cosines(client.embed(left), client.embed(right))


def span_vectors(client: Client, texts: list[str], spans: list[tuple[int, int]], choice: Choice) -> Vectors:
    """One vector per text: [N, D]; with combine "none" one per layer and text: [layers, N, H]."""
    found = client.embed_words(
        texts,
        spans=[[span] for span in spans],
        layers=choice.layers,
        combine=choice.combine,
        subtokens=choice.subtokens,
    )
    return np.stack([entry.vectors[..., 0, :] for entry in found], axis=-2)


def pooling_rows(
    client: Client, kept: KeptArrays, chosen: Choice, words: WordPairs, means: FloatArray, several: BoolArray
) -> list[Row]:
    """The best choice again, with the other ways to make one vector of several tokens.

    Args:
        client: of the server.
        kept: the scores.
        chosen: the best choice.
        words: all pairs.
        means: its scores [N], which those pairs keep whose words are one token each.
        several: the other pairs, [N].
    """
    rows, some = [], words.only(several)
    for subtokens in _POOLINGS:
        choice = Choice(name=chosen.name, layers=chosen.layers, combine=chosen.combine, subtokens=subtokens)
        name = f"{chosen.name}; {subtokens.replace('_', ' and ')} token"
        scores = means.copy()
        scores[several] = kept.get(f"words of several tokens, {name}", pooled_scores, client, choice, some)
        rows.append(Row(name=name, kind="pooling", words=judge(scores, words)))
    return rows


def pooled_scores(client: Client, choice: Choice, words: WordPairs) -> FloatArray:
    """Cosines of the two mentions of each pair."""
    left, right = (
        span_vectors(client, texts, spans, choice)
        for texts, spans in ((words.left, words.left_spans), (words.right, words.right_spans))
    )
    return cosines(left, right)


def several_tokens(client: Client, words: WordPairs) -> tuple[BoolArray, BoolArray]:
    """Which mentions are more than one token: [N] of the left ones, [N] of the right."""

    def of(texts: list[str], spans: list[tuple[int, int]]) -> BoolArray:
        tokenized = zip(client.tokenize(texts), spans, strict=True)
        return np.array([sum(b < end and e > start for b, e in each.offsets) > 1 for each, (start, end) in tokenized])

    return of(words.left, words.left_spans), of(words.right, words.right_spans)


def table(result: Result) -> str:
    """As text."""
    console = Console(file=io.StringIO(), width=110)
    drawn = Table()
    for title in ("", "WiC accuracy", "WiC AUC", "STS Spearman"):
        drawn.add_column(title, justify="left" if not title else "right", no_wrap=True)
    for number, row in enumerate(result.rows):
        ends = number + 1 == len(result.rows) or result.rows[number + 1].kind != row.kind
        drawn.add_row(row.name, *cells(row), end_section=ends)
    console.print(drawn)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def cells(row: Row) -> list[str]:
    """The figures of a row."""
    words = ["", ""]
    if row.words is not None:
        words = [
            f"{value:.3f}" + (f" ± {error:.3f}" if error else "")
            for value, error in ((row.words.accuracy, row.words.accuracy_error), (row.words.auc, row.words.auc_error))
        ]
    return [*words, "" if row.sentences is None else f"{row.sentences:.4f}"]


def conclusion(result: Result) -> str:
    """What the figures say."""
    return "\n".join(
        (
            f"words:     {result.words}; AUC {result.gain[0]:+.3f} ± {result.gain[1]:.3f} against the last layer",
            f"sentences: {result.sentences}",
            f"{result.many_tokens:.1%} of the word mentions are more than one token",
        )
    )


if __name__ == "__main__":
    main()
