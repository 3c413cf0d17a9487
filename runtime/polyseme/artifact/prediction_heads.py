"""Heads that predict, as a manifest has them: classes of texts, labels of tokens, where an answer begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from polyseme.artifact.errors import InvalidManifestError
from polyseme.artifact.fields import MAX_WIDTH, Fields
from polyseme.artifact.heads import EMBEDDING, Activation, DenseSpec, EmbeddingHead, Pooling, read_embedding

MAX_LABELS: Final = 10_000
MAX_LABEL_CHARACTERS: Final = 256
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_POOLINGS: Final = (Pooling.CLS, Pooling.MEAN)


class HeadKind(Enum):
    """The kinds of predictions; the names of transformers' tasks."""

    CLASSIFICATION = "classification"
    TOKEN_CLASSIFICATION = "token_classification"  # noqa: S105  no password
    QUESTION_ANSWERING = "question_answering"


class ScoreFunction(Enum):
    """The ways from logits of labels to scores: one label of several, each label by itself, a number as it is."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionHead:
    """A head over one layer: [a dense layer, [length normalized,]] and one row of logits.

    Attributes:
        kind: what it predicts. Question answering has two logits a token: an answer begins here, and ends here.
        labels: one for each logit; of question answering none.
        scores: how logits become scores; of question answering softmax over the tokens.
        pooling: of CLASSIFICATION, how token vectors become the one that it takes: CLS or MEAN. The others take each.
        hidden: the layer before the last; None where there is none.
        norm_eps: epsilon of a LayerNorm, without a shift, after `hidden`; None where there is none.
        output: gives the logits.
        file: its weights, float32, little-endian, in the order of `shapes`.
        layer: of the encoder, whose vectors it takes: 0 is the embedding layer; None: the last.
        texts_alone: whether it was made for single texts, though others of its kind take pairs.
    """

    kind: HeadKind
    labels: tuple[str, ...]
    scores: ScoreFunction
    pooling: Pooling | None
    hidden: DenseSpec | None
    norm_eps: float | None
    output: DenseSpec
    file: str
    layer: int | None = None
    texts_alone: bool = False

    @property
    def takes_pairs(self) -> bool:
        """Tell whether two texts may be given to it as one input."""
        return self.kind is not HeadKind.TOKEN_CLASSIFICATION and not self.texts_alone

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Give each weight of the file: its name and its shape."""
        if self.hidden is not None:
            yield from _dense_shapes("hidden", self.hidden)
        if self.norm_eps is not None:
            yield "norm.weight", (self.output.in_features,)
        yield from _dense_shapes("output", self.output)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        elements = 0
        for _, shape in self.shapes():
            count = 1
            for length in shape:
                count *= length
            elements += count
        return 4 * elements

    def as_json(self) -> dict[str, object]:
        """As it stands in the manifest; what few heads have is there only where they have it."""
        return {
            "kind": self.kind.value,
            "scores": self.scores.value,
            **({"labels": list(self.labels)} if self.labels else {}),
            **({"pooling": self.pooling.value} if self.pooling is not None else {}),
            **({"hidden": self.hidden.as_json()} if self.hidden is not None else {}),
            **({"norm_eps": self.norm_eps} if self.norm_eps is not None else {}),
            "output": self.output.as_json(),
            "file": self.file,
            **({"layer": self.layer} if self.layer is not None else {}),
            **({"texts_alone": True} if self.texts_alone else {}),
        }


AnyHead = EmbeddingHead | PredictionHead


def read_heads(fields: Fields, hidden_size: int, num_hidden_layers: int) -> dict[str, AnyHead]:
    """Read the heads on an encoder of some width and depth, by name.

    Raises:
        InvalidManifestError: there is no embedding head, one of a kind that this version does not know, or an
            impossible value.
    """
    heads: dict[str, AnyHead] = {}
    for name in fields.names():
        head = fields.object(name)
        kind = head.text("kind", most=64)
        if name == EMBEDDING and kind == EMBEDDING:
            heads[name] = read_embedding(head, hidden_size)
        elif name != EMBEDDING and kind in _KINDS and _NAME.fullmatch(name):
            heads[name] = _read_prediction(head, f"model.heads.{name}", hidden_size, num_hidden_layers)
        else:
            raise InvalidManifestError(
                f"manifest field model.heads.{name[:40]}: a head of kind {kind[:40]!r}; known are "
                f"{', '.join(_KINDS)}, and {EMBEDDING} for the head of this name"
            )
    if EMBEDDING not in heads:
        raise InvalidManifestError(f"manifest field model.heads.{EMBEDDING} is missing")
    return heads


def checked_head_name(name: str) -> str:
    """Give the name of a head that predicts, if it is one.

    Raises:
        InvalidManifestError: it is not 1 to 64 lower-case letters, digits and _ -, or is that of another head.
    """
    if not _NAME.fullmatch(name) or name == EMBEDDING:
        raise InvalidManifestError(
            f"{ascii(name)[:80]} is not a head's name: 1 to 64 lower-case letters, digits and _ -, but not {EMBEDDING}"
        )
    return name


def refuse_labels(labels: tuple[str, ...]) -> str:
    """Tell why these cannot be a head's labels; empty where they can."""
    if not 1 <= len(labels) <= MAX_LABELS:
        return f"{len(labels)} labels; limits 1..{MAX_LABELS}"
    if not all(label.isprintable() and 1 <= len(label) <= MAX_LABEL_CHARACTERS for label in labels):
        return f"a label is not one line of 1 to {MAX_LABEL_CHARACTERS} characters"
    if len(set(labels)) < len(labels):
        return "a label stands twice"
    return ""


def refuse_files(heads: Mapping[str, AnyHead], sizes: Mapping[str, int]) -> None:
    """Refuse heads whose files are not listed, or not of the size that their weights need.

    Raises:
        InvalidManifestError: which, got, needed.
    """
    for name, head in heads.items():
        if isinstance(head, EmbeddingHead):
            continue
        if head.file not in sizes:
            raise InvalidManifestError(f"manifest field model.heads.{name}.file: {head.file[:40]!r} is not in files")
        if sizes[head.file] != head.size:
            raise InvalidManifestError(f"{head.file} has {sizes[head.file]} bytes; its head needs {head.size}")


_KINDS: Final = tuple(kind.value for kind in HeadKind)


def _read_prediction(fields: Fields, at: str, hidden_size: int, num_hidden_layers: int) -> PredictionHead:
    names = fields.names()
    kind = fields.choice("kind", HeadKind)
    hidden = _read_dense(fields.object("hidden"), hidden_size, f"{at}.hidden") if "hidden" in names else None
    size = hidden_size if hidden is None else hidden.out_features
    labels = fields.lines("labels", most=MAX_LABELS) if "labels" in names else ()
    output = _read_dense(fields.object("output"), size, f"{at}.output")
    if kind is HeadKind.QUESTION_ANSWERING:
        if labels or output.out_features != 2:
            raise InvalidManifestError(f"manifest field {at}: question_answering has 2 logits and no labels")
    elif problem := refuse_labels(labels):
        raise InvalidManifestError(f"manifest field {at}.labels: {problem}")
    elif output.out_features != len(labels):
        raise InvalidManifestError(f"manifest field {at}.labels: {len(labels)} labels for {output.out_features} logits")
    pooling = fields.choice("pooling", Pooling) if "pooling" in names else None
    if (pooling in _POOLINGS) != (kind is HeadKind.CLASSIFICATION):
        raise InvalidManifestError(f"manifest field {at}.pooling: cls or mean for classification, else none")
    return PredictionHead(
        kind=kind,
        labels=labels,
        scores=fields.choice("scores", ScoreFunction),
        pooling=pooling,
        hidden=hidden,
        norm_eps=fields.number("norm_eps", least=0.0, most=1.0) if "norm_eps" in names else None,
        output=output,
        file=fields.text("file"),
        layer=fields.integer("layer", most=num_hidden_layers) if "layer" in names else None,
        texts_alone=fields.boolean("texts_alone") if "texts_alone" in names else False,
    )


def _read_dense(fields: Fields, in_features: int, at: str) -> DenseSpec:
    dense = DenseSpec(
        in_features=fields.integer("in_features", least=1, most=MAX_WIDTH),
        out_features=fields.integer("out_features", least=1, most=MAX_WIDTH),
        bias=fields.boolean("bias"),
        activation=fields.choice("activation", Activation),
    )
    if dense.in_features != in_features:
        raise InvalidManifestError(
            f"manifest field {at}.in_features: got {dense.in_features}; it is given {in_features}"
        )
    return dense


def _dense_shapes(name: str, dense: DenseSpec) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (dense.in_features, dense.out_features)
    if dense.bias:
        yield f"{name}.bias", (dense.out_features,)
