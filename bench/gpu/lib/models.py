"""Models with seeded random weights, exported by our own exporter, on the machine that they are measured on."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench.lib.random_checkpoint import random_bert, random_mpnet
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from polyseme.artifact import Artifact, ArtifactWriter
from polyseme.export import ExportOptions, export_model
from polyseme.export.encoders.architectures import bert, mpnet
from polyseme.export.encoders.encoder import EncoderConfig
from polyseme.export.reading.checkpoint import Checkpoint

SIZES = {
    "bert-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "minilm": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536},
    "mpnet-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "tiny": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128},
}
"""Of BERT-base, of all-MiniLM-L6-v2, of MPNet-base with its bias by distance, and one to try this script with."""

_SPECIAL = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]")
_PADDING = 1  # as MPNet has it


def checkpoint(name: str, folder: Path) -> Path:
    """A checkpoint as transformers reads it, with a WordPiece tokenizer of made-up words."""
    vocabulary = {token: number for number, token in enumerate((*_SPECIAL, *_words(30_522 - len(_SPECIAL))))}
    is_mpnet = name.startswith("mpnet")
    sizes = {**SIZES[name], "max_position_embeddings": 514 if is_mpnet else 512, "vocab_size": len(vocabulary)}
    sizes |= {"relative_attention_num_buckets": 32} if is_mpnet else {"type_vocab_size": 2}
    kind: dict[str, object] = {"model_type": "mpnet" if is_mpnet else "bert"}
    kind |= {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": _PADDING}
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps({**kind, **sizes}))
    weights = (random_mpnet if is_mpnet else random_bert)(sizes, scale=0.03)
    save_file(weights, target / "model.safetensors")
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(target / "tokenizer.json"))
    tokenizer_class = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}
    (target / "tokenizer_config.json").write_text(json.dumps(tokenizer_class))
    return target


def artifact(name: str, source: Path | None, folder: Path, *, with_probe: bool = True) -> Artifact:
    """The artifact of a model, by whoever asks first; others wait until it is made.

    Args:
        name: one of `SIZES`, or of the source.
        source: a checkpoint; None: one with random weights is made.
        folder: where it lies or will.
        with_probe: whether what loads it shall be able to compare values.
    """
    target = folder / f"{name}.artifact"
    with _alone(folder / f"{name}.lock"):
        if not target.exists():
            made = export_model(
                str(source or checkpoint(name, folder)), folder / f"{name}.made", ExportOptions(name=name, replace=True)
            )
            if not with_probe:
                _drop_probe(made)
            made.directory.rename(target)
    return Artifact.open(target)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time; the next when this one ends, in whatever way."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drop_probe(artifact: Artifact) -> None:
    manifest = artifact.manifest
    if manifest.probe is None:
        return
    files = {name: entry for name, entry in manifest.files.items() if name != manifest.probe.file}
    with ArtifactWriter(artifact.directory, replace=True) as writer:
        for name in files:
            shutil.copy(artifact.path(name), writer.directory)
        writer.commit(replace(manifest, probe=None, files=files))


def config(name: str, folder: Path) -> EncoderConfig:
    """Of a model with random weights, as its graphs are built by."""
    read_config = mpnet.read_config if name.startswith("mpnet") else bert.read_config
    return read_config(Checkpoint(folder / name))


def flops_per_token(name: str, length: int) -> float:
    """Of the encoder's products, two for each multiplication: what every implementation has to do."""
    size = SIZES[name]
    hidden, inner = size["hidden_size"], size["intermediate_size"]
    return 2.0 * size["num_hidden_layers"] * (4 * hidden * hidden + 2 * hidden * inner + 2 * length * hidden)


def _words(count: int) -> list[str]:
    """Different words of two to four syllables: each is one token."""
    rng = np.random.default_rng(3)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(rng.choice(syllables, rng.integers(2, 5)))] = None
    return list(words)
