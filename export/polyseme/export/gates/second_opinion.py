"""A second opinion on an artifact: the model of its source as transformers runs it, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.export.errors import GateError, UnsupportedError
from polyseme.export.gates.acceptance import judges
from polyseme.export.gates.parity import Deviation
from polyseme.export.gates.reference_cases import default_lengths, make_reference_cases, make_texts
from polyseme.export.reading.checkpoint import Checkpoint
from polyseme.export.reading.sentence_transformers.modules import encoder_folder
from polyseme.export.reading.sentence_transformers.text_model import read_text_model
from polyseme.export.reading.source import locate
from polyseme.export.reading.tokenization import load_tokenizer, sample_ids
from polyseme.export.routes.optimum import COMPARING, load_model, read_config, reference, refuse_missing_packages
from polyseme.runtime.batches.token_types import TokenTypes

_MUST_AGREE: Final = ("hidden_size", "num_hidden_layers", "vocab_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """The differences between an artifact and transformers.

    Attributes:
        deviations: the largest differences of each precision.
        beyond: a limit that was exceeded, in one line; empty where all is within tolerance.
    """

    deviations: Mapping[str, Deviation]
    beyond: str


def ask_transformers(artifact: Artifact, source: str, *, full: bool = False) -> Opinion:
    """Compare an artifact with a checkpoint that transformers runs in float64.

    Args:
        artifact: as `Artifact.open` gave it.
        source: the checkpoint that it should equal, as export takes it.
        full: whether to run every length up to the model's limit, not only a few.

    Raises:
        ExportError: torch or transformers is not there, the source cannot be used, or is a model of other sizes.
    """
    refuse_missing_packages("--against", COMPARING)
    directory = locate(source).directory
    model = load_model(Checkpoint(encoder_folder(directory)))
    spec, config = artifact.manifest.model, read_config(model)
    for name in _MUST_AGREE:
        got, wanted = getattr(spec.encoder, name), getattr(config, name)
        if got != wanted:
            raise UnsupportedError(f"{name} is {got} in the artifact, {wanted} in SOURCE: not the same model")
    text_model = read_text_model(directory, spec.encoder.hidden_size)
    if text_model.dimensions != spec.embedding.dimensions:  # exported with --dimensions all
        text_model = read_text_model(directory, spec.encoder.hidden_size, "all")
    dense = [module.widened() for module in text_model.dense]
    tokenizer = load_tokenizer(artifact.path(TOKENIZER), vocab_size=spec.encoder.vocab_size)
    lengths = range(1, spec.max_tokens + 1) if full else default_lengths(spec.max_tokens)
    texts = make_texts(sample_ids(tokenizer), lengths, spec.encoder.padding_idx)
    theirs = reference(model, behind=True)
    judging = judges(artifact)
    beyond: dict[str, str] = {}
    for case in make_reference_cases(
        theirs,
        texts,
        spec.embedding.pooling,
        spec.encoder.pad_token_id,
        dense,
        padding_idx=spec.encoder.padding_idx,
        types=TokenTypes.of(spec.encoder),
    ):
        for judge in judging:
            try:
                judge.see(case)
            except GateError as error:  # go on: the worst of all is wanted, which the last error names
                beyond[judge.name] = str(error)
    deviations = {judge.name: judge.deviation for judge in judging}
    return Opinion(deviations=deviations, beyond=next(iter(beyond.values()), ""))
