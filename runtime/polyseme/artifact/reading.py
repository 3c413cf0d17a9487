"""Reads the entries of a manifest, as untrusted input."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from polyseme.artifact.entries import (
    EncoderSpec,
    FileEntry,
    GraphSet,
    ModelSpec,
    Precision,
    PrecisionEntry,
    ProbeEntry,
    WeightEntry,
)
from polyseme.artifact.errors import InvalidManifestError
from polyseme.artifact.fields import MAX_WIDTH, Fields
from polyseme.artifact.graphs import Variant
from polyseme.artifact.prediction_heads import read_heads

TOKENIZER: Final = "tokenizer.json"
"""The file that every artifact has beside its graphs and weights."""

# Far above any BERT there is, and far below what would hurt: a hostile manifest must not make the reader allocate.
_MAX_FILE_BYTES: Final = 1 << 40
_MAX_LAYERS: Final = 1024
_MAX_TENSORS: Final = 100_000
_MAX_PROBES: Final = 64

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_GRAPH_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MODEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")


def checked_name(name: str) -> str:
    """Check the name of a model, and give it.

    Raises:
        InvalidManifestError: it is not 1 to 128 letters, digits and . _ - /, beginning with a letter or digit.
    """
    return _matching(name, _MODEL_NAME, "name")


def read_model(fields: Fields) -> ModelSpec:
    """Read `model`: an encoder and its heads, and limits that fit them.

    Raises:
        InvalidManifestError: an impossible value.
    """
    encoder = _read_encoder(fields.object("encoder"))
    spec = ModelSpec(
        encoder=encoder,
        heads=read_heads(fields.object("heads"), encoder.hidden_size, encoder.num_hidden_layers),
        max_tokens=fields.integer("max_tokens", least=1, most=MAX_WIDTH),
        prompts=fields.proses("prompts"),
        default_prompt_name=fields.text("default_prompt_name"),
    )
    positions = encoder.max_position_embeddings
    if spec.max_tokens > positions:
        raise InvalidManifestError(
            f"manifest field model.max_tokens: got {spec.max_tokens}; limit {positions} positions"
        )
    if spec.default_prompt_name and spec.default_prompt_name not in spec.prompts:
        raise InvalidManifestError("manifest field model.default_prompt_name: not one of model.prompts")
    return spec


def _read_encoder(fields: Fields) -> EncoderSpec:
    encoder = EncoderSpec(
        architecture=fields.text("architecture", most=64),
        hidden_size=fields.integer("hidden_size", least=1, most=MAX_WIDTH),
        num_hidden_layers=fields.integer("num_hidden_layers", least=1, most=_MAX_LAYERS),
        num_attention_heads=fields.integer("num_attention_heads", least=1, most=MAX_WIDTH),
        intermediate_size=fields.integer("intermediate_size", least=1, most=MAX_WIDTH),
        vocab_size=fields.integer("vocab_size", least=1, most=1 << 24),
        max_position_embeddings=fields.integer("max_position_embeddings", least=1, most=MAX_WIDTH),
        hidden_act=fields.text("hidden_act", most=64),
        layer_norm_eps=fields.number("layer_norm_eps", least=0.0, most=1.0),
        pad_token_id=fields.integer("pad_token_id", most=1 << 24),
        padding_idx=fields.integer("padding_idx", most=1 << 24) if "padding_idx" in fields.names() else None,
        token_types=fields.integer("token_types", least=2, most=2) if "token_types" in fields.names() else 1,
    )
    if encoder.token_types > 1 and encoder.padding_idx is not None:
        raise InvalidManifestError("manifest field model.encoder.token_types: not together with padding_idx")
    if encoder.pad_token_id >= encoder.vocab_size:
        raise InvalidManifestError(
            f"manifest field model.encoder.pad_token_id: got {encoder.pad_token_id}; limits 0..{encoder.vocab_size - 1}"
        )
    if encoder.hidden_size % encoder.num_attention_heads:
        raise InvalidManifestError(
            f"manifest field model.encoder.hidden_size: {encoder.hidden_size} is no multiple of "
            f"{encoder.num_attention_heads} heads"
        )
    return encoder


def read_files(fields: Fields) -> dict[str, FileEntry]:
    """Read `files`: plain names, the tokenizer among them.

    Raises:
        InvalidManifestError: an impossible value.
    """
    files = {}
    for name in fields.names():
        entry = fields.object(name)
        files[_matching(name, _FILE_NAME, "files")] = FileEntry(
            size=entry.integer("size", most=_MAX_FILE_BYTES), sha256=entry.sha256("sha256")
        )
    if TOKENIZER not in files:  # else one would be read whose hash nobody checks
        raise InvalidManifestError(f"manifest field files: {TOKENIZER} is missing")
    return files


def read_precisions(fields: Fields, files: Mapping[str, FileEntry]) -> dict[Precision, PrecisionEntry]:
    """Read `precisions`: at least one, whose files are listed and hold its tensors.

    Raises:
        InvalidManifestError: an impossible value.
    """
    precisions = {}
    for name in fields.names():
        try:
            precision = Precision(name)
        except ValueError:
            raise InvalidManifestError(f"manifest field precisions: got {name[:40]!r}; one of fp32, fp16") from None
        precisions[precision] = _read_precision(fields.object(name), precision, files)
    if not precisions:
        raise InvalidManifestError("manifest field precisions: at least one is needed")
    return precisions


def _read_precision(fields: Fields, precision: Precision, files: Mapping[str, FileEntry]) -> PrecisionEntry:
    padded, weights = _read_graphs(fields), fields.text("weights")
    packed = _read_graphs(fields.object("packed")) if "packed" in fields.names() else None
    fp32_blocks = fields.lines("fp32_blocks", most=2 * _MAX_LAYERS) if "fp32_blocks" in fields.names() else ()
    standard = fields.text("standard") if "standard" in fields.names() else ""
    entry = PrecisionEntry(
        graphs=padded.graphs,
        tensors=padded.tensors,
        weights=weights,
        packed=packed,
        fp32_blocks=fp32_blocks,
        standard=standard,
    )
    sets = [padded] if packed is None else [padded, packed]
    named = [weights, *(name for graphs in sets for name in graphs.graphs.values()), *([standard] if standard else [])]
    for name in named:
        if name not in files:
            raise InvalidManifestError(f"manifest field precisions.{precision.value}: {name[:40]!r} is not in files")
    for graphs in sets:
        _refuse_misplaced(graphs.tensors, precision, weights, files[weights].size)
    return entry


def _read_graphs(fields: Fields) -> GraphSet:
    graphs = fields.object("graphs")
    for variant in Variant:
        graphs.text(variant)  # those that every version knows
    return GraphSet(
        graphs={_matching(graph, _GRAPH_NAME, "graphs"): graphs.text(graph) for graph in graphs.names()},
        tensors=tuple(
            WeightEntry(
                name=tensor.text("name"),
                shape=tensor.integers("shape", most_entries=8, most=1 << 31),
                offset=tensor.integer("offset", most=_MAX_FILE_BYTES),
            )
            for tensor in fields.objects("tensors", most=_MAX_TENSORS)
        ),
    )


def _refuse_misplaced(tensors: tuple[WeightEntry, ...], precision: Precision, weights: str, size: int) -> None:
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise InvalidManifestError(f"manifest field precisions.{precision.value}.tensors: a name stands twice")
    itemsize = precision.dtype.itemsize
    for tensor in tensors:
        end = tensor.offset + math.prod(tensor.shape) * itemsize
        if end > size or tensor.offset % itemsize:
            raise InvalidManifestError(
                f"manifest tensor {tensor.name[:80]!r}: bytes {tensor.offset}..{end}; {weights} has {size}"
            )


def read_probe(fields: Fields, model: ModelSpec, files: Mapping[str, FileEntry]) -> ProbeEntry:
    """Read `probe`: ids of the vocabulary, and a file of the size that they need.

    Raises:
        InvalidManifestError: an impossible value.
    """
    most_id = model.encoder.vocab_size * model.encoder.token_types - 1
    texts = tuple(
        one.integers("ids", most_entries=model.max_tokens, least=0, most=most_id)
        for one in fields.objects("texts", most=_MAX_PROBES)
    )
    probe = ProbeEntry(texts=texts, file=fields.text("file"))
    if not texts or not all(texts):
        raise InvalidManifestError("manifest field probe.texts: expected texts of 1 or more ids")
    if probe.file not in files:
        raise InvalidManifestError(f"manifest field probe.file: {probe.file[:40]!r} is not in files")
    states = (model.encoder.num_hidden_layers + 1) * sum(map(len, texts)) * model.encoder.hidden_size
    size = 4 * (states + len(texts) * model.embedding.dimensions)
    if files[probe.file].size != size:
        raise InvalidManifestError(f"{probe.file} has {files[probe.file].size} bytes; its texts need {size}")
    return probe


def _matching(value: str, pattern: re.Pattern[str], path: str) -> str:
    if not pattern.fullmatch(value) or ".." in value or value == "manifest.json":
        raise InvalidManifestError(f"manifest field {path}: {value[:40]!r} is not a plain name")
    return value
