"""The head that makes the vector of a text, as a manifest has it: how token vectors are pooled, what follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from polyseme.artifact.errors import InvalidManifestError
from polyseme.artifact.fields import MAX_WIDTH, Fields

EMBEDDING: Final = "embedding"
"""The name, and the kind, of the head that makes the vector of a text."""

_AT: Final = f"model.heads.{EMBEDDING}"
_MAX_DENSE: Final = 16
_MAX_DIMS: Final = 64
_SIMILARITIES: Final = ("cosine", "dot", "euclidean", "manhattan")


class Pooling(Enum):
    """The ways from token vectors to the vector of a text. Names as in sentence-transformers."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    MEAN_SQRT_LEN = "mean_sqrt_len_tokens"
    LAST_TOKEN = "lasttoken"  # noqa: S105  no password


class Activation(Enum):
    """The function that a dense layer applies to each element of its sum; UNIT scales the whole to length 1."""

    IDENTITY = "identity"
    TANH = "tanh"
    GELU = "gelu"
    RELU = "relu"
    SIGMOID = "sigmoid"
    UNIT = "unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseSpec:
    """A dense layer after the pooling: activation(x W + b).

    Attributes:
        in_features: length of the vectors that it takes.
        out_features: length of the vectors that it gives.
        bias: whether it has b.
    """

    in_features: int
    out_features: int
    bias: bool
    activation: Activation

    def as_json(self) -> dict[str, object]:
        """Write the entry of the manifest."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias,
            "activation": self.activation.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingHead:
    """The head that makes one vector of a text: pooling, dense layers, length 1.

    Attributes:
        dimensions: length of a text's vector: the hidden size, or what the last dense layer gives.
        pooling: how token vectors become one.
        pooling_assumed: the source does not say how to pool, and mean was taken.
        normalizes: vectors are scaled to length 1 unless a request says otherwise.
        dense: layers between pooling and normalization, in their order.
        matryoshka_dims: lengths to which vectors may be cut, as the source says that it was trained; ascending.
        similarity: how the source says that two vectors are compared: cosine, dot, euclidean or manhattan.
        pools_prompt: the tokens of a prompt have a part in the pooling, as those of the text.
    """

    dimensions: int
    pooling: Pooling
    pooling_assumed: bool
    normalizes: bool
    dense: tuple[DenseSpec, ...] = ()
    matryoshka_dims: tuple[int, ...] = ()
    similarity: str = "cosine"
    pools_prompt: bool = True

    def as_json(self) -> dict[str, object]:
        """Write the entry of the manifest; what few models have is there only where they have it."""
        return {
            "kind": EMBEDDING,
            "dimensions": self.dimensions,
            "pooling": self.pooling.value,
            "pooling_assumed": self.pooling_assumed,
            "normalizes": self.normalizes,
            **({"dense": [layer.as_json() for layer in self.dense]} if self.dense else {}),
            **({"matryoshka_dims": list(self.matryoshka_dims)} if self.matryoshka_dims else {}),
            **({"similarity": self.similarity} if self.similarity != "cosine" else {}),
            **({} if self.pools_prompt else {"pools_prompt": False}),
        }


def dense_weight(number: int) -> str:
    """Name the weight [in, out] of a dense layer, counted from 0."""
    return f"dense.{number}.weight"


def dense_bias(number: int) -> str:
    """Name the bias [out] of a dense layer, counted from 0."""
    return f"dense.{number}.bias"


def read_embedding(fields: Fields, hidden_size: int) -> EmbeddingHead:
    """Read the head that makes the vector of a text, on an encoder of some width.

    Raises:
        InvalidManifestError: an impossible value.
    """
    dimensions = fields.integer("dimensions", least=1, most=MAX_WIDTH)
    return EmbeddingHead(
        dimensions=dimensions,
        pooling=fields.choice("pooling", Pooling),
        pooling_assumed=fields.boolean("pooling_assumed"),
        normalizes=fields.boolean("normalizes"),
        dense=_read_dense(fields, hidden_size, dimensions),
        matryoshka_dims=_read_matryoshka_dims(fields, dimensions),
        similarity=_read_similarity(fields),
        pools_prompt=fields.boolean("pools_prompt") if "pools_prompt" in fields.names() else True,
    )


def _read_dense(fields: Fields, hidden_size: int, dimensions: int) -> tuple[DenseSpec, ...]:
    """Read the dense layers of a model; none where the manifest names none.

    Raises:
        InvalidManifestError: one does not take what the one before it gives, or the last does not give `dimensions`.
    """
    layers = fields.objects("dense", most=_MAX_DENSE) if "dense" in fields.names() else []
    dense, size = [], hidden_size
    for number, layer in enumerate(layers):
        one = DenseSpec(
            in_features=layer.integer("in_features", least=1, most=MAX_WIDTH),
            out_features=layer.integer("out_features", least=1, most=MAX_WIDTH),
            bias=layer.boolean("bias"),
            activation=layer.choice("activation", Activation),
        )
        if one.in_features != size:
            raise InvalidManifestError(
                f"manifest field {_AT}.dense[{number}].in_features: got {one.in_features}; it is given {size}"
            )
        dense.append(one)
        size = one.out_features
    if size != dimensions:
        raise InvalidManifestError(f"manifest field {_AT}.dimensions: got {dimensions}; the vectors have {size}")
    return tuple(dense)


def _read_matryoshka_dims(fields: Fields, dimensions: int) -> tuple[int, ...]:
    """Read the lengths to which the model was trained to be cut, ascending; none where the manifest names none."""
    if "matryoshka_dims" not in fields.names():
        return ()
    dims = fields.integers("matryoshka_dims", most_entries=_MAX_DIMS, most=dimensions)
    if sorted(set(dims)) != list(dims):
        raise InvalidManifestError(f"manifest field {_AT}.matryoshka_dims: expected ascending lengths")
    return dims


def _read_similarity(fields: Fields) -> str:
    told = fields.text("similarity", most=16) if "similarity" in fields.names() else "cosine"
    if told not in _SIMILARITIES:
        raise InvalidManifestError(
            f"manifest field {_AT}.similarity: got {told[:16]!r}; one of {', '.join(_SIMILARITIES)}"
        )
    return told
