"""Which layer for words, which for sentences: MCL-WiC and STS Benchmark dev through a running server.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.quality ARTIFACT [--json] [-o FILE]
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from bench.lib.machine import heading
from bench.lib.server import server
from bench.quality.quality_data import (
    FloatArray,
    Judgement,
    SentencePairs,
    WordPairs,
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
    parser.add_argument("artifact", type=Path, help="folder made by `polyseme export`")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    arguments = parser.parse_args()
    sentences, words = sentence_pairs(), word_pairs()
    with server(arguments.artifact, "--max-queue-tokens", "1000000") as target, Client(target, timeout=600) as client:
        model = client.model()
        result = measured(client, sentences, words, model.num_hidden_layers)
    identity = model.identity
    lines = [
        heading(),
        f"model:   {identity.name}@{identity.version}, {identity.precision}, {identity.execution_provider}",
    ]
    lines += [f"data:    stsbenchmark-dev.tsv, {len(sentences.left)} pairs; wic-dev.json, {len(words.left)} pairs"]
    if arguments.output:
        arguments.output.write_text(page("\n".join(lines), result), encoding="utf-8")
    if arguments.json:
        print(json.dumps({"heading": "\n".join(lines).splitlines(), **asdict(result)}, indent=1))
    else:
        print(*lines, table(result), conclusion(result), sep="\n")


def measured(client: Client, sentences: SentencePairs, words: WordPairs, num_hidden_layers: int) -> Result:
    """Ask the server for everything."""
    kept: dict[str, FloatArray] = {}
    rows: list[Row] = []
    choices = layer_choices(num_hidden_layers)
    for choice, scores in zip(choices, layer_scores(client, choices, words), strict=True):
        kept[choice.name] = scores
    joined = combinations(num_hidden_layers)
    for choice in joined:
        kept[choice.name] = word_scores(client, choice, words)
    by_sentence = dict(zip([c.name for c in choices], sentence_layer_scores(client, choices, sentences), strict=True))
    by_sentence |= {choice.name: sentence_scores(client, choice, sentences) for choice in joined}
    for kind, group in (("layer", choices), ("combination", joined)):
        rows += [
            Row(name=c.name, kind=kind, words=judge(kept[c.name], words), sentences=by_sentence[c.name]) for c in group
        ]
    best = max(rows, key=lambda row: row.words.auc if row.words else 0.0).name
    (chosen,) = [choice for choice in (*choices, *joined) if choice.name == best]
    rows += pooling_rows(client, chosen, words)
    whole = cosines(client.embed(words.left), client.embed(words.right))
    own = spearman(cosines(client.embed(sentences.left), client.embed(sentences.right)), sentences.judged)
    rows.append(Row(name="the model's own text vector", kind="baseline", words=judge(whole, words), sentences=own))
    share = float(max(words.same.mean(), 1 - words.same.mean()))
    majority = Judgement(accuracy=share, accuracy_error=0.0, auc=0.5, auc_error=0.0)
    rows.append(Row(name="always the same answer", kind="baseline", words=majority))
    return Result(
        rows=rows,
        words=best,
        gain=auc_difference(kept[best], kept[choices[-1].name], words),
        sentences=max(rows, key=lambda row: row.sentences or 0.0).name,
        many_tokens=many_tokens(client, words),
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
    """Those that the literature takes."""
    last = (-4, -3, -2, -1)
    return [
        Choice(name="last four, sum", layers=last),
        Choice(name="last four, mean", layers=last, combine="mean"),
        Choice(name="last four, concat", layers=last, combine="concat"),
        Choice(name=f"layers 1 to {num_hidden_layers}, sum", layers=tuple(range(1, num_hidden_layers + 1))),
    ]


def layer_scores(client: Client, choices: list[Choice], words: WordPairs) -> Iterator[FloatArray]:
    """Cosines of the two mentions of each pair, layer by layer; all layers come in one reply."""
    layers = [layer for choice in choices for layer in choice.layers]
    left, right = (
        span_vectors(client, texts, spans, layers, "none")
        for texts, spans in ((words.left, words.left_spans), (words.right, words.right_spans))
    )
    return (cosines(left[:, i], right[:, i]) for i in range(len(layers)))


def word_scores(client: Client, choice: Choice, words: WordPairs) -> FloatArray:
    """Cosines of the two mentions of each pair."""
    left, right = (
        span_vectors(client, texts, spans, choice.layers, choice.combine, choice.subtokens)
        for texts, spans in ((words.left, words.left_spans), (words.right, words.right_spans))
    )
    return cosines(left, right)


def sentence_layer_scores(client: Client, choices: list[Choice], sentences: SentencePairs) -> Iterator[float]:
    """Spearman of the cosines of token means, layer by layer."""
    layers = [layer for choice in choices for layer in choice.layers]
    left, right = (whole_text(client, texts, layers, "none") for texts in (sentences.left, sentences.right))
    return (spearman(cosines(left[:, i], right[:, i]), sentences.judged) for i in range(len(layers)))


def sentence_scores(client: Client, choice: Choice, sentences: SentencePairs) -> float:
    """Spearman of the cosines of token means."""
    left, right = (
        whole_text(client, texts, choice.layers, choice.combine) for texts in (sentences.left, sentences.right)
    )
    return spearman(cosines(left, right), sentences.judged)


def whole_text(client: Client, texts: list[str], layers: list[Layer] | tuple[Layer, ...], combine: Combine) -> Vectors:
    """The mean over all tokens of a text, special tokens left out: a span over the whole text."""
    return span_vectors(client, texts, [(0, len(text)) for text in texts], layers, combine)


def span_vectors(
    client: Client,
    texts: list[str],
    spans: list[tuple[int, int]],
    layers: list[Layer] | tuple[Layer, ...],
    combine: Combine,
    subtokens: Subtokens = "mean",
) -> Vectors:
    """One vector per text: [N, H], [N, layers * H] for concat, [N, layers, H] for none."""
    found = client.embed_words(
        texts, spans=[[span] for span in spans], layers=layers, combine=combine, subtokens=subtokens
    )
    return np.stack([entry.vectors[..., 0, :] for entry in found])


def pooling_rows(client: Client, chosen: Choice, words: WordPairs) -> list[Row]:
    """The best choice again, with the other ways to make one vector of several tokens."""
    rows = []
    for subtokens in _POOLINGS:
        choice = Choice(name=chosen.name, layers=chosen.layers, combine=chosen.combine, subtokens=subtokens)
        name = f"{chosen.name}; {subtokens.replace('_', ' and ')} token"
        rows.append(Row(name=name, kind="pooling", words=judge(word_scores(client, choice, words), words)))
    return rows


def many_tokens(client: Client, words: WordPairs) -> float:
    """Share of the mentions that are more than one token."""
    counts = [
        len(entry.tokens[0])
        for texts, spans in ((words.left, words.left_spans), (words.right, words.right_spans))
        for entry in client.embed_words(texts, spans=[[span] for span in spans])
    ]
    return float(np.mean(np.array(counts) > 1))


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


def page(lines: str, result: Result) -> str:
    """The file for bench/results/."""
    return f"{_PREFACE}\n```\n{lines}\n{table(result)}\n{conclusion(result)}\n```\n"


if __name__ == "__main__":
    main()
