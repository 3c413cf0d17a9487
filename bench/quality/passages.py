"""Passages in the context of their document against passages embedded alone: which sentence answers a question, XQuAD.

Usage: POLYSEME_EVAL_DATA=FOLDER python -m bench.quality.passages ARTIFACT... [-o FILE]
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.lib.machine import heading
from bench.lib.server import server
from bench.quality.passages_data import Article, FloatArray, Span, articles, reciprocal_ranks
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from polyseme.client import Client

Vectors = NDArray[np.float32]
_ALONE = "alone"
_PREFACE = """\
# Passages in context against passages alone

XQuAD (Artetxe et al. 2020), English: 48 articles of five paragraphs, cut into sentences, and questions about them. A
question and the sentences are compared by their cosine; the right sentence is the one in which the answer begins. The
figure is the mean reciprocal rank of the right sentence: 1 where it always comes first, 1/2 where it always comes
second. "in its article": among the sentences of the article; "of all": among those of all articles. "against alone" is
the difference to embedding each sentence alone; ± is one standard error, the articles being the draws. "tokens" is how
many tokens the model reads for all sentences, against alone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; ranks are reciprocal, one a question.

    Attributes:
        name: how the vectors of sentences are made.
        tokens: how many tokens the model reads for them.
        in_article: among the sentences of the article.
        of_all: among the sentences of all articles.
    """

    name: str
    tokens: int
    in_article: FloatArray
    of_all: FloatArray


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("artifacts", type=Path, nargs="+", help="folders made by `polyseme export`")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the page for bench/results/")
    arguments = parser.parse_args()
    read = articles()
    counts = [sum(len(part) for part in each) for each in zip(*((a.sentences, a.questions) for a in read), strict=True)]
    parts = [heading(), f"data:    XQuAD, {len(read)} articles, {counts[0]} sentences, {counts[1]} questions"]
    for artifact in arguments.artifacts:
        with server(artifact, "--max-queue-tokens", "1000000") as target, Client(target, timeout=600) as client:
            identity = client.model().identity
            rows = measured(client, read)
        owner = f"{identity.name}@{identity.version}"
        parts += ["", f"model:   {owner}, {identity.precision}, {identity.execution_provider}", table(rows, read)]
    report = "\n".join(parts)
    if arguments.output:
        arguments.output.write_text(f"{_PREFACE}\n```\n{report}\n```\n", encoding="utf-8")
    print(report)


def measured(client: Client, read: list[Article]) -> list[Row]:
    """Ask the server for everything."""
    questions = client.embed([question for article in read for question in article.questions])
    limit = client.model().max_tokens
    alone, alone_tokens = embedded(client, [texts(article, 0) for article in read])
    ways = [(_ALONE, alone, alone_tokens)]
    ways.append(("alone, with the sentence before and behind", *embedded(client, [texts(a, 1) for a in read])))
    ways.append(("in its paragraph", *in_paragraphs(client, read)))
    for name, overlap in (("none", 0), ("a quarter", limit // 4), ("a half", limit // 2)):
        ways.append((f"in its article, windows overlap by {name}", *in_articles(client, read, overlap)))
    for name, vectors, tokens in ways[2:5:2]:
        ways.append((f"alone + {name}", [a + b for a, b in zip(alone, vectors, strict=True)], alone_tokens + tokens))
    return [ranked(name, vectors, tokens, questions, read) for name, vectors, tokens in ways]


def texts(article: Article, beside: int) -> list[str]:
    """Each sentence, with so many before it and behind it."""
    spans = article.sentences
    last = len(spans) - 1
    return [article.text[spans[max(i - beside, 0)][0] : spans[min(i + beside, last)][1]] for i in range(len(spans))]


def embedded(client: Client, of_articles: list[list[str]]) -> tuple[list[Vectors], int]:
    """Vectors of texts, article by article, and how many tokens were read."""
    result = client.embed_detailed([text for of_one in of_articles for text in of_one], truncate="end")
    ends = np.cumsum([len(of_one) for of_one in of_articles])[:-1]
    return np.split(result.embeddings, ends), sum(info.tokens for info in result.texts)


def in_paragraphs(client: Client, read: list[Article]) -> tuple[list[Vectors], int]:
    """The same of sentences, each in the context of its paragraph."""
    documents, spans = [], []
    for article in read:
        for start, end in article.paragraphs:
            documents.append(article.text[start:end])
            spans.append([(a - start, b - start) for a, b in article.sentences if start <= a < end])
    found = client.embed_passages(documents, spans)
    vectors = iter([each.vectors for each in found])
    of_articles = [np.concatenate([next(vectors) for _ in article.paragraphs]) for article in read]
    return of_articles, tokens_read(client, documents, [each.contexts for each in found])


def in_articles(client: Client, read: list[Article], overlap: int) -> tuple[list[Vectors], int]:
    """The same of sentences, each in the context of its article, as far as the model takes it."""
    found = client.embed_passages([a.text for a in read], [a.sentences for a in read], overlap=overlap)
    return [each.vectors for each in found], tokens_read(client, [a.text for a in read], [f.contexts for f in found])


def tokens_read(client: Client, documents: list[str], contexts: list[tuple[Span, ...]]) -> int:
    """How many tokens the model reads for these contexts."""
    read = [text[start:end] for text, each in zip(documents, contexts, strict=True) for start, end in set(each)]
    return sum(map(len, client.tokenize(read)))


def ranked(name: str, vectors: list[Vectors], tokens: int, questions: Vectors, read: list[Article]) -> Row:
    """Compare the questions with the sentences."""
    whole = np.concatenate(vectors).astype(np.float64)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    # To 6 places, so that equal vectors tie whatever the order of summation.
    scores = (questions @ whole.T).round(6)
    firsts = np.cumsum([0, *(len(article.sentences) for article in read)])
    owners = [number for number, article in enumerate(read) for _ in article.questions]
    answers = [answer for article in read for answer in article.answers]
    own = [row[firsts[owner] : firsts[owner + 1]] for row, owner in zip(scores, owners, strict=True)]
    return Row(
        name=name,
        tokens=tokens,
        in_article=reciprocal_ranks(own, answers),
        of_all=reciprocal_ranks(
            list(scores), [int(firsts[owner]) + answer for owner, answer in zip(owners, answers, strict=True)]
        ),
    )


def table(rows: list[Row], read: list[Article]) -> str:
    """As text."""
    console = Console(file=io.StringIO(), width=130)
    drawn = Table()
    for title in ("each sentence", "in its article", "against alone", "of all", "against alone", "tokens"):
        drawn.add_column(title, justify="left" if title == "each sentence" else "right", no_wrap=True)
    (alone,) = [row for row in rows if row.name == _ALONE]
    for row in rows:
        cells = []
        for ranks, before in ((row.in_article, alone.in_article), (row.of_all, alone.of_all)):
            gain, error = of_articles(ranks - before, read)
            cells += [f"{ranks.mean():.3f}", "" if row is alone else f"{gain:+.3f} ± {error:.3f}"]
        drawn.add_row(row.name, *cells, f"{row.tokens / alone.tokens:.2f}")
    console.print(drawn)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def of_articles(values: FloatArray, read: list[Article]) -> tuple[float, float]:
    """Mean over questions, and its standard error; those of one article are one draw."""
    owners = np.repeat(np.arange(len(read)), [len(article.questions) for article in read])
    sums = np.bincount(owners, weights=values - values.mean())
    return float(values.mean()), float(np.sqrt((sums**2).sum()) / len(values))


if __name__ == "__main__":
    main()
