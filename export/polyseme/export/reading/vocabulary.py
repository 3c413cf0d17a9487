"""Vocabularies of checkpoints without a tokenizer.json: vocab.txt, as in BERT's first years; vocab.json and merges.txt.

Read by the library that reads them for transformers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tokenizers import models

from polyseme.export.errors import CheckpointError
from polyseme.export.reading.tensor_file import refuse_pointer

VOCABULARIES: Final = {"WordPiece": ("vocab.txt",), "BPE": ("vocab.json", "merges.txt")}
_MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The tokens of a model.

    Attributes:
        tokens: ids by token, or [token, score] in the order of ids.
        merges: of byte-level BPE, by rank.
        characters: the table by which sentencepiece normalizes them, where the vocabulary has one.
    """

    tokens: Any
    merges: list[Any] = field(default_factory=list)
    characters: bytes | None = None

    def ids(self) -> dict[str, int]:
        """Ids by token."""
        return dict(self.tokens)

    def scores(self) -> list[tuple[str, float]]:
        """Tokens and their scores, in the order of ids."""
        return [(token, score) for token, score in self.tokens]

    def pairs(self) -> list[tuple[str, str]]:
        """Give the merges as pairs; older files have each as one text."""
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in self.merges]
        return [(first, second) for first, second in pairs]


def vocabulary_files(source: Path, model: str) -> tuple[Path, ...]:
    """Give the files of a model's vocabulary; none unless all are there."""
    paths = tuple(source / name for name in VOCABULARIES.get(model, ()))
    return paths if all(path.is_file() for path in paths) else ()


def read_vocabulary(source: Path, model: str) -> Vocabulary:
    """Read what `vocabulary_files` found.

    Raises:
        CheckpointError: a file is too large or cannot be read.
    """
    paths = vocabulary_files(source, model)
    for path in paths:
        if path.stat().st_size > _MAX_BYTES:
            raise CheckpointError(f"{path.name} has {path.stat().st_size} bytes; limit {_MAX_BYTES}")
        refuse_pointer(path)
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path.name} is not UTF-8") from error
    try:
        if model == "WordPiece":
            return Vocabulary(tokens=models.WordPiece.read_file(str(paths[0])))
        tokens, merges = models.BPE.read_file(str(paths[0]), str(paths[1]))
        return Vocabulary(tokens=tokens, merges=merges)
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(f"{paths[0].name} cannot be read: {ascii(str(error))[1:-1][:200]}") from error
