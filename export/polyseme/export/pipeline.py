"""One export, step by step: locate, read, build, judge, commit."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
import onnx

from polyseme.artifact import (
    EMBEDDING,
    Artifact,
    ArtifactWriter,
    EmbeddingHead,
    EncoderSpec,
    InvalidManifestError,
    Manifest,
    ModelSpec,
    Precision,
    ProbeEntry,
    Source,
    checked_name,
    own_version,
)
from polyseme.export.encoders import architectures
from polyseme.export.encoders.architectures.heads import CheckpointHead, read_head, write_head
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.errors import ExportError, UnsupportedError
from polyseme.export.gates.acceptance import Verify, refuse_deviant
from polyseme.export.gates.reference_cases import ReferenceCase
from polyseme.export.heads import collect_heads, tells_types
from polyseme.export.reading.checkpoint import Checkpoint, refuse_adapter
from polyseme.export.reading.left_out import left_out_lines
from polyseme.export.reading.sentence_transformers.modules import MODULES, encoder_folder
from polyseme.export.reading.sentence_transformers.text_model import Dimensions, TextModel, read_text_model
from polyseme.export.reading.source import Located, locate
from polyseme.export.reading.tokenization import make_tokenizer, refuse_other_ends, sample_ids
from polyseme.export.reading.tokenizer.files import TokenizerFiles, read_tokenizer_files
from polyseme.export.routes.build import Build
from polyseme.export.routes.native import NativeRoute
from polyseme.export.routes.optimum import OptimumRoute, open_route, refuse_missing_packages
from polyseme.runtime.engines.onnxruntime.padded_session import runtime_version

Exporter = Literal["auto", "native", "optimum"]
Heads = Literal["model", "none"]
PROBE: Final = "probe.bin"
_LEAST_TOKENS: Final = 3  # one token of text between two special ones
_NO_LIMIT: Final = 1e6  # transformers writes 1e30 where a tokenizer has none
_PROBED: Final = 128  # tokens: 5 MB of states for BERT-base


class Progress(Protocol):
    """Told of each step as it begins, and again of each part of it."""

    def __call__(self, step: str, detail: str = "") -> None:
        """Show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options of an export.

    Attributes:
        name: of the model; default: the name of SOURCE.
        max_tokens: most tokens of a text; default: as the source says, else all positions.
        precisions: the precisions of weights and graphs to write.
        verify: `standard` compares a few lengths with the reference, `full` every one.
        replace: whether an artifact that lies at the target may be replaced.
        exporter: the route that builds the graph; `auto` is native where the architecture has a mapping, else optimum.
        tensorrt: whether to write a graph for TensorRT too.
        dimensions: `model` cuts vectors to the length that the source's truncate_dim says, `all` cuts none.
        heads: `model` takes the source's head that predicts, if it has one; `none` leaves it out.
        more_heads: heads of other checkpoints over the same encoder: where each is, by name.
    """

    name: str | None = None
    max_tokens: int | None = None
    precisions: Sequence[Precision] = (Precision.FP32, Precision.FP16)
    verify: Verify = "standard"
    replace: bool = False
    exporter: Exporter = "auto"
    tensorrt: bool = False
    dimensions: Dimensions = "model"
    heads: Heads = "model"
    more_heads: Mapping[str, str] = field(default_factory=dict)


def no_progress(step: str, detail: str = "") -> None:
    """Show nothing."""


def no_note(line: str) -> None:
    """Drop it."""


def export_model(
    source: str,
    target: Path,
    options: ExportOptions,
    progress: Progress = no_progress,
    note: Callable[[str], None] = no_note,
) -> Artifact:
    """Make an artifact from a checkpoint. All or nothing: the target appears when every gate has been passed.

    Args:
        source: a directory, `hf:ID[@REVISION]` or `package:NAME`.
        target: the artifact's directory.
        options: how.
        progress: told of each step as it begins.
        note: told in one line each what is to be known of the source, and what of it the artifact has not.

    Raises:
        ExportError: the source cannot be used, or a gate failed.
        ArtifactError: the target cannot be written.
    """
    with ArtifactWriter(target, replace=options.replace) as writer:
        try:
            return _export(source, writer, options, progress, note)
        except OSError as error:  # a full disk, an unreadable file: a traceback would explain nothing
            raise ExportError(f"{error.filename or target}: {error.strerror or type(error).__name__}") from error


def _export(
    source: str, writer: ArtifactWriter, options: ExportOptions, progress: Progress, note: Callable[[str], None]
) -> Artifact:
    progress("reading the checkpoint")
    located = locate(source)
    if located.note:
        note(located.note)
    name = _name(located, options)
    folder = encoder_folder(located.directory)
    refuse_adapter(folder)
    checkpoint = Checkpoint(folder)
    route = _choose(checkpoint, options)
    config = route.config
    text_model = read_text_model(located.directory, config.hidden_size, options.dimensions)
    for line in left_out_lines(checkpoint.config, route.left_out, text_model.left_out):
        note(line)
    tokenizer_files = read_tokenizer_files(folder, text_model.transformer.tokenizer)
    if tokenizer_files.has_chat_template and not (located.directory / MODULES).is_file():
        raise UnsupportedError(
            "the tokenizer has a chat template, into which sentence-transformers puts every text of a folder without "
            f"{MODULES}: not supported"
        )
    heads: dict[str, CheckpointHead] = {}
    if isinstance(route, NativeRoute):
        heads = collect_heads(route, options.more_heads)
        if tells_types(route, heads, tokenizer_files):
            config = replace(config, token_types=2)
            route = replace(route, config=config)
    elif options.more_heads:
        raise UnsupportedError("--head: through optimum no head is exported")
    spec = _spec(config, text_model, tokenizer_files, options, heads)
    tokenizer = make_tokenizer(
        folder,
        writer.directory,
        tokenizer_files,
        checkpoint.config,
        vocab_size=config.vocab_size,
        lower_cases=text_model.transformer.lower_cases,
        pairs=any(head.spec.takes_pairs for head in heads.values()),
    )
    if not text_model.pools_prompt:
        refuse_other_ends(tokenizer, text_model.prompts.values(), tokenizer_files, checkpoint.config)
    progress("building graphs", f"{config.num_hidden_layers} layers")
    wanted = [precision for precision in Precision if precision in options.precisions]
    samples = sample_ids(tokenizer)
    build = Build(
        spec=spec,
        precisions=wanted,
        dense=text_model.dense,
        samples=samples,
        standard=options.tensorrt,
        directory=writer.directory,
    )
    precisions = route.write(build)
    for head in heads.values():
        (writer.directory / head.spec.file).write_bytes(b"".join(write_head(head)))
    draft = Manifest(
        name=name,
        model=spec,
        precisions=precisions,
        files={path.name: writer.entry(path.name) for path in sorted(writer.directory.iterdir())},
        source=Source(spec=located.spec, sha256=_sha256(checkpoint, text_model)),
        builder=route.builder | _builder(),
        parity={},
    )
    progress("comparing with float64")
    report, probe = refuse_deviant(
        Artifact(writer.directory, draft),
        route.reference(),
        samples,
        options.verify,
        lambda detail: progress("comparing with float64", detail),
        [module.widened() for module in text_model.dense],
        {name: head.reference for name, head in heads.items()},
    )
    progress("writing the manifest")
    entry = _write_probe(probe, writer.directory)
    files = {**draft.files, entry.file: writer.entry(entry.file)}
    report["reference"] = route.judged_by
    return writer.commit(replace(draft, parity=report, probe=entry, files=files))


def _choose(checkpoint: Checkpoint, options: ExportOptions) -> NativeRoute | OptimumRoute:
    exporter = options.exporter
    if exporter == "optimum":
        refuse_missing_packages("--exporter optimum")
        return open_route(checkpoint)
    try:
        architecture = architectures.find(checkpoint)
    except UnsupportedError as error:
        if exporter == "native":
            raise
        refuse_missing_packages(f"{error}; --exporter optimum, which may take it,")
        return open_route(checkpoint)
    config = architecture.read_config(checkpoint)
    head = read_head(checkpoint, config) if options.heads == "model" else None
    return NativeRoute(checkpoint=checkpoint, architecture=architecture, config=config, head=head)


def _name(located: Located, options: ExportOptions) -> str:
    name = located.name if options.name is None else options.name
    try:
        return checked_name(name)
    except InvalidManifestError as error:
        raise ExportError(
            f"{ascii(name)[:80]} is not a model's name: --name takes 1 to 128 letters, digits and . _ - /"
        ) from error


def _spec(
    config: EncoderConfig,
    text_model: TextModel,
    files: TokenizerFiles,
    options: ExportOptions,
    heads: Mapping[str, CheckpointHead],
) -> ModelSpec:
    positions = config.max_position_embeddings
    max_tokens = _max_tokens(positions, text_model, files)
    if options.max_tokens is not None:
        max_tokens = options.max_tokens
        if not _LEAST_TOKENS <= max_tokens <= positions:
            raise UnsupportedError(
                f"--max-length: got {max_tokens}; limits {_LEAST_TOKENS}..{positions}, the model's positions"
            )
    head = EmbeddingHead(
        dimensions=text_model.dimensions,
        pooling=text_model.pooling,
        pooling_assumed=text_model.pooling_assumed,
        normalizes=text_model.normalizes,
        dense=tuple(module.spec for module in text_model.dense),
        matryoshka_dims=text_model.matryoshka_dims,
        similarity=text_model.similarity,
        pools_prompt=text_model.pools_prompt,
    )
    return ModelSpec(
        encoder=EncoderSpec(**asdict(config)),
        heads={EMBEDDING: head, **{name: predicts.spec for name, predicts in heads.items()}},
        max_tokens=max_tokens,
        prompts=text_model.prompts,
        default_prompt_name=text_model.default_prompt_name,
    )


def _max_tokens(positions: int, text_model: TextModel, files: TokenizerFiles) -> int:
    """Choose the limit that sentence-transformers has: its own files', else the tokenizer's; at most all positions."""
    told = text_model.transformer.max_tokens
    if told is None and files.max_tokens is not None and files.max_tokens < _NO_LIMIT:
        told = int(files.max_tokens)
    limit = positions if told is None else min(told, positions)
    if limit < _LEAST_TOKENS:
        raise UnsupportedError(f"the model's texts end after {limit} tokens; {_LEAST_TOKENS} or more are supported")
    return limit


def _sha256(checkpoint: Checkpoint, text_model: TextModel) -> str:
    """Of all weights: the encoder's alone, or its own and each dense layer's."""
    sums = [checkpoint.sha256(), *(module.sha256 for module in text_model.dense)]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def _write_probe(probe: ReferenceCase, directory: Path) -> ProbeEntry:
    """Leave a few texts, with what the reference made of them, for start-up to judge its device by."""
    texts = [text for text, end in zip(probe.texts, accumulate(map(len, probe.texts)), strict=True) if end <= _PROBED]
    texts = texts or probe.texts[:1]
    tokens = sum(map(len, texts))
    states, pooled = np.stack(probe.layers)[:, :tokens], probe.pooled[: len(texts)]
    with (directory / PROBE).open("wb") as file:
        for values in (states, pooled):
            file.write(np.ascontiguousarray(values, dtype="<f4").data)
    return ProbeEntry(texts=tuple(map(tuple, texts)), file=PROBE)


def _builder() -> dict[str, str]:
    """Versions of what made the artifact."""
    return {
        "polyseme": own_version(),
        "onnx": onnx.__version__,
        "onnxruntime": runtime_version(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
