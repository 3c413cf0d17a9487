"""A Dense module of a sentence-transformers folder, as untrusted input. Pickles are never loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Activation, DenseSpec
from polyseme.artifact.heads import dense_bias, dense_weight
from polyseme.export.errors import CheckpointError, UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint, read_json
from polyseme.runtime.verification.reference_head import Dense

_WEIGHT: Final = "linear.weight"
_BIAS: Final = "linear.bias"
_PICKLE: Final = "pytorch_model.bin"
_MOST_FEATURES: Final = 1 << 20
_ACTIVATIONS: Final = {
    f"torch.nn.{module}{name}": activation
    for name, home, activation in (
        ("Identity", "linear", Activation.IDENTITY),
        ("Tanh", "activation", Activation.TANH),
        ("GELU", "activation", Activation.GELU),
        ("ReLU", "activation", Activation.RELU),
        ("Sigmoid", "activation", Activation.SIGMOID),
    )
    for module in ("", f"modules.{home}.")
}
_KNOWN: Final = {
    "in_features", "out_features", "bias", "activation_function", "module_input_name", "module_output_name",
    "use_residual",
}  # fmt: skip
_VECTOR: Final = "sentence_embedding"  # what it takes and gives, unless it says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseModule:
    """A Dense module.

    Attributes:
        spec: as the manifest has it.
        weight: [in, out].
        bias: [out]; None where it has none.
        sha256: of its files.
        unknown: keys of its config.json that sentence-transformers does not know, and drops.
    """

    spec: DenseSpec
    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32] | None
    sha256: str
    unknown: tuple[str, ...] = ()

    def widened(self) -> Dense:
        """Copy the layer in float64, for the reference."""
        bias = None if self.bias is None else self.bias.astype(np.float64)
        return Dense(weight=self.weight.astype(np.float64), bias=bias, activation=self.spec.activation)


def read_dense(directory: Path, in_features: int) -> DenseModule:
    """Read a module's folder.

    Args:
        directory: with config.json and model.safetensors.
        in_features: length of the vectors that it is given.

    Raises:
        UnsupportedError: it says something that would not be computed.
        CheckpointError: a file cannot be read, is a pickle, or does not fit.
    """
    config = read_json(directory / "config.json")
    spec = _spec(config, directory.name, in_features)
    if (directory / _PICKLE).is_file() and not (directory / "model.safetensors").is_file():
        raise CheckpointError(
            f"{directory.name}/{_PICKLE} is a pickle, which can run any code and is never loaded; convert it where you "
            "trust it: SentenceTransformer(DIR).save(OUT)"
        )
    try:
        module = _read(Checkpoint(directory), spec)
    except CheckpointError as error:
        raise CheckpointError(f"{directory.name}: {error}") from error
    return replace(module, unknown=tuple(f"{directory.name}/config.json {key}" for key in sorted(set(config) - _KNOWN)))


def to_length_one(size: int) -> DenseModule:
    """Vectors scaled to length 1, as a Normalize module does it that is not the last."""
    return _fixed(size, size, Activation.UNIT)


def cut_to(size: int, kept: int) -> DenseModule:
    """Make a module that keeps the first elements of vectors."""
    return _fixed(size, kept, Activation.IDENTITY)


def _fixed(in_features: int, out_features: int, activation: Activation) -> DenseModule:
    spec = DenseSpec(in_features=in_features, out_features=out_features, bias=False, activation=activation)
    weight = np.eye(in_features, out_features, dtype=np.float32)
    return DenseModule(spec=spec, weight=weight, bias=None, sha256=hashlib.sha256(weight.tobytes()).hexdigest())


def dense_initializers(modules: Sequence[DenseModule]) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Give the weights [in, out] and biases [out] of layers, by their names in graphs and manifest, in order of use."""
    for number, module in enumerate(modules):
        yield dense_weight(number), module.weight
        if module.bias is not None:
            yield dense_bias(number), module.bias


def _read(checkpoint: Checkpoint, spec: DenseSpec) -> DenseModule:
    surplus = sorted(set(checkpoint) - {_WEIGHT, *([_BIAS] if spec.bias else [])})
    if surplus:
        raise CheckpointError(f"weight {ascii(surplus[0])[:80]} is not one that config.json asks for")
    weight = checkpoint.tensor(_WEIGHT, (spec.out_features, spec.in_features)).T
    bias = checkpoint.tensor(_BIAS, (spec.out_features,)) if spec.bias else None
    return DenseModule(spec=spec, weight=weight, bias=bias, sha256=checkpoint.sha256())


def _spec(config: Mapping[str, Any], name: str, in_features: int) -> DenseSpec:
    if config.get("use_residual"):
        raise UnsupportedError(f"{name}/config.json has use_residual, which is not supported")
    for key in ("module_input_name", "module_output_name"):
        if (config.get(key) or _VECTOR) != _VECTOR:
            raise UnsupportedError(f"{name} {key} {ascii(config[key])[:40]} is not supported, only {_VECTOR}")
    sizes = {key: config.get(key) for key in ("in_features", "out_features")}
    for key, size in sizes.items():
        if type(size) is not int or not 1 <= size <= _MOST_FEATURES:
            raise CheckpointError(f"{name} {key}: got {ascii(size)[:40]}; limits 1..{_MOST_FEATURES}")
    if sizes["in_features"] != in_features:
        raise CheckpointError(f"{name} takes vectors of {sizes['in_features']}; it is given {in_features}")
    bias = config.get("bias", True)
    if not isinstance(bias, bool):
        raise CheckpointError(f"{name} bias: expected true or false, got {ascii(bias)[:40]}")
    return DenseSpec(
        in_features=in_features,
        out_features=config["out_features"],
        bias=bias,
        activation=_activation(config.get("activation_function", "torch.nn.Tanh"), name),
    )


def _activation(function: object, name: str) -> Activation:
    """By the name of a class of torch.nn: torch.nn.modules.activation.Tanh."""
    if not isinstance(function, str) or function not in _ACTIVATIONS:
        raise UnsupportedError(
            f"{name} activation_function {ascii(function)[:60]} is not supported; "
            f"{', '.join(key for key in _ACTIVATIONS if key.count('.') == 2)} are"
        )
    return _ACTIVATIONS[function]
