"""What follows the encoder: how token vectors are pooled, and the dense layers after it, as a manifest has them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from polyseme.artifact.errors import InvalidManifestError
from polyseme.artifact.fields import MAX_WIDTH, Fields

_MAX_DENSE = 16
_MAX_DIMS = 64


class Pooling(Enum):
    """How token vectors become the vector of a text. Names as sentence-transformers has them."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    MEAN_SQRT_LEN = "mean_sqrt_len_tokens"
    LAST_TOKEN = "lasttoken"  # noqa: S105  no password


class Activation(Enum):
    """What a dense layer does to each element of its sum; UNIT scales the whole to length 1."""

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
        in_features: length of the vectors it takes.
        out_features: length of those it gives.
        bias: whether it has one.
    """

    in_features: int
    out_features: int
    bias: bool
    activation: Activation

    def as_json(self) -> dict[str, object]:
        """As it stands in the manifest."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias,
            "activation": self.activation.value,
        }


def dense_weight(number: int) -> str:
    """The name of the weight [in, out] of a dense layer, counted from 0."""
    return f"dense.{number}.weight"


def dense_bias(number: int) -> str:
    """The name of its bias [out]."""
    return f"dense.{number}.bias"


def read_dense(fields: Fields, hidden_size: int, dimensions: int) -> tuple[DenseSpec, ...]:
    """The dense layers of a model; none where the manifest names none.

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
                f"manifest field model.dense[{number}].in_features: got {one.in_features}; it is given {size}"
            )
        dense.append(one)
        size = one.out_features
    if size != dimensions:
        raise InvalidManifestError(f"manifest field model.dimensions: got {dimensions}; the vectors have {size}")
    return tuple(dense)


def read_matryoshka_dims(fields: Fields, dimensions: int) -> tuple[int, ...]:
    """The lengths to which the model was trained to be cut, ascending; none where the manifest names none."""
    if "matryoshka_dims" not in fields.names():
        return ()
    dims = fields.integers("matryoshka_dims", most_entries=_MAX_DIMS, most=dimensions)
    if sorted(set(dims)) != list(dims):
        raise InvalidManifestError("manifest field model.matryoshka_dims: expected ascending lengths")
    return dims
