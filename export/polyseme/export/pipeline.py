"""One export, step by step: locate, read, map, build, write, judge, commit."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from polyseme.artifact import (
    Artifact,
    ArtifactError,
    ArtifactWriter,
    FileEntry,
    Manifest,
    ModelSpec,
    Precision,
    PrecisionEntry,
    Source,
    Variant,
)
from polyseme.export import architectures, samples
from polyseme.export.checkpoint import Checkpoint
from polyseme.export.encoder import Encoder, EncoderConfig
from polyseme.export.errors import CheckpointError, ExportError, GateError, UnsupportedError
from polyseme.export.graph import build_graph, fused_attention_count
from polyseme.export.parity import STANDARD_LENGTHS, TOLERANCES, Judge, Probe, make_probes
from polyseme.export.reference import HiddenStates
from polyseme.export.sentence_transformers import TextModel, read_text_model
from polyseme.export.source import Located, locate
from polyseme.export.weights import write_weights
from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
from polyseme.runtime.session import runtime_version
from polyseme.runtime.tokenizer import EncodeOptions, Tokenizer

TOKENIZER = "tokenizer.json"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How to export.

    Attributes:
        name: of the model; default: as SOURCE is called.
        max_tokens: most tokens of a text; default: as the source says, else all positions.
        precisions: which weights and graphs to write.
        verify: `standard` probes a few lengths, `full` every one.
        replace: whether an artifact that lies at the target may be replaced.
    """

    name: str | None = None
    max_tokens: int | None = None
    precisions: Sequence[Precision] = (Precision.FP32, Precision.FP16)
    verify: Literal["standard", "full"] = "standard"
    replace: bool = False


def export_model(source: str, target: Path, options: ExportOptions, progress: Progress = lambda _: None) -> Artifact:
    """Make an artifact from a checkpoint. All or nothing: the target appears when every gate has been passed.

    Args:
        source: a directory, `hf:ID[@REVISION]` or `package:NAME`.
        target: the artifact's directory.
        options: how.
        progress: told of each step as it begins.

    Raises:
        ExportError: the source cannot be used, or a gate failed.
        ArtifactError: the target cannot be written.
    """
    with ArtifactWriter(target, replace=options.replace) as writer:
        progress("reading the checkpoint")
        located = locate(source)
        checkpoint = Checkpoint(located.directory)
        architecture = architectures.find(checkpoint)
        config = architecture.read_config(checkpoint)
        text_model = read_text_model(located.directory, config.hidden_size)
        spec = _spec(config, text_model, options)
        tokenizer = _copy_tokenizer(located.directory, writer.directory, config)
        progress(
            f"building {', '.join(p.value for p in options.precisions)} graphs of {config.num_hidden_layers} layers"
        )
        encoder = architecture.read_encoder(checkpoint, config)
        precisions = {p: _write_precision(encoder, p, spec, writer.directory) for p in options.precisions}
        files = {path.name: writer.entry(path.name) for path in sorted(writer.directory.iterdir())}
        draft = _manifest(located, checkpoint, spec, precisions, files, options, parity={})
        reference = architecture.reference(checkpoint, config)
        parity = _judge(Artifact(writer.directory, draft), reference, tokenizer, options, progress)
        progress("writing the manifest")
        return writer.commit(_manifest(located, checkpoint, spec, precisions, files, options, parity))


def _spec(config: EncoderConfig, text_model: TextModel, options: ExportOptions) -> ModelSpec:
    positions = config.max_position_embeddings
    max_tokens = options.max_tokens or min(text_model.max_tokens or positions, positions)
    if not 3 <= max_tokens <= positions:
        raise UnsupportedError(f"--max-length: got {max_tokens}; limits 3..{positions}, the model's positions")
    return ModelSpec(
        architecture=config.architecture,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        vocab_size=config.vocab_size,
        max_position_embeddings=positions,
        max_tokens=max_tokens,
        dimensions=config.hidden_size,
        hidden_act=config.hidden_act,
        layer_norm_eps=config.layer_norm_eps,
        pad_token_id=config.pad_token_id,
        pooling=text_model.pooling,
        pooling_assumed=text_model.pooling_assumed,
        normalizes=text_model.normalizes,
        prompts=text_model.prompts,
        default_prompt_name=text_model.default_prompt_name,
    )


def _copy_tokenizer(source: Path, target: Path, config: EncoderConfig) -> Tokenizer:
    if not (source / TOKENIZER).is_file():
        raise CheckpointError(
            f"{TOKENIZER} is missing in {source.name}; "
            "make it by AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
        )
    try:
        tokenizer = Tokenizer(source / TOKENIZER, vocab_size=config.vocab_size)
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
    shutil.copyfile(source / TOKENIZER, target / TOKENIZER)
    return tokenizer


def _write_precision(encoder: Encoder, precision: Precision, spec: ModelSpec, directory: Path) -> PrecisionEntry:
    weights_file = f"weights.{precision.value}.bin"
    tensors = write_weights(encoder, precision, directory / weights_file)
    graphs = {variant: f"{variant.value}.{precision.value}.onnx" for variant in Variant}
    for variant, name in graphs.items():
        model = build_graph(
            encoder.config, variant, precision, pooling=spec.pooling, weights=tensors, weights_file=weights_file
        )
        refuse_unfused(model, spec.num_hidden_layers, name)
        (directory / name).write_bytes(model.SerializeToString(deterministic=True))
    return PrecisionEntry(graphs=graphs, weights=weights_file, tensors=tensors)


def refuse_unfused(model: onnx.ModelProto, layers: int, name: str) -> None:
    """Raise GateError unless every layer attends in one fused operator."""
    fused = fused_attention_count(model)
    if fused != layers:
        raise GateError(f"{name} has {fused} fused attention operators; {layers} are needed, one per layer")


def _judge(
    artifact: Artifact, reference: HiddenStates, tokenizer: Tokenizer, options: ExportOptions, progress: Progress
) -> dict[str, Any]:
    """Run every probe through every precision; the report for the manifest."""
    spec = artifact.manifest.model
    lengths = _probe_lengths(spec.max_tokens, options.verify)
    encoded = tokenizer.encode(samples.SENTENCES, EncodeOptions(limit=spec.max_tokens))
    sentences = [text.ids for text in encoded]
    try:
        judges = {precision: Judge(artifact, precision) for precision in options.precisions}
    except RuntimeUnavailableError as error:
        raise ExportError(str(error)) from error
    probes = make_probes(reference, sentences, lengths, spec.pooling, spec.pad_token_id)
    for number, probe in enumerate(probes, start=1):
        progress(f"comparing with float64: {_describe(probe)} ({number} of {len(lengths) + 1})")
        for precision, judge in judges.items():
            judge.see(probe)
            judge.deviation.refuse_beyond(TOLERANCES[precision], precision)
    return {
        "reference": "float64 numpy",
        "verify": options.verify,
        "lengths": list(lengths) if options.verify == "standard" else [1, spec.max_tokens],
        "mixed_batch": len(sentences),
        "fused_attention": spec.num_hidden_layers,
        **{precision.value: judge.deviation.as_json() for precision, judge in judges.items()},
    }


def _probe_lengths(longest: int, verify: str) -> tuple[int, ...]:
    if verify == "full":
        return tuple(range(1, longest + 1))
    return (*(length for length in STANDARD_LENGTHS if length < longest), longest)


def _describe(probe: Probe) -> str:
    texts, longest = probe.batch.shape
    return f"{longest} tokens" if texts == 1 else f"{texts} texts of 1 to {longest} tokens"


def _manifest(
    located: Located,
    checkpoint: Checkpoint,
    spec: ModelSpec,
    precisions: dict[Precision, PrecisionEntry],
    files: dict[str, FileEntry],
    options: ExportOptions,
    parity: dict[str, Any],
) -> Manifest:
    return Manifest(
        name=options.name or located.name,
        model=spec,
        precisions=precisions,
        files=files,
        source=Source(spec=located.spec, sha256=checkpoint.sha256()),
        builder={
            "exporter": "native",
            "polyseme": metadata.version("polyseme"),
            "onnx": onnx.__version__,
            "onnxruntime": runtime_version(),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        parity=parity,
    )


__all__ = ["ArtifactError", "ExportOptions", "export_model", "refuse_unfused"]
