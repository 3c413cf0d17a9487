"""Loads that every peer is put under: the same texts, in calls of so many, so many in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.lib.texts import mixed_texts

from polyseme.artifact import TOKENIZER, Artifact
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

TEXTS: Final = 1024
SHORT_WORDS: Final = 9
PROBE: Final = 48  # texts of each kind, by which a peer's vectors are judged


@dataclass(frozen=True, slots=True)
class Case:
    """A load.

    Attributes:
        kind: of its texts, mixed or short.
        texts: in a call.
        in_flight: calls at once.
    """

    kind: str
    texts: int
    in_flight: int

    @property
    def name(self) -> str:
        """In words."""
        if self.texts == 1:
            return f"{self.kind}, {self.in_flight} in flight"
        return f"{self.kind}, {self.in_flight} {'call' if self.in_flight == 1 else 'calls'} of {self.texts} texts"


SERVED: Final = (
    Case("mixed", 1, 1),
    Case("mixed", 1, 4),
    Case("mixed", 1, 16),
    Case("mixed", 1, 64),
    Case("mixed", 32, 4),
    Case("short", 1, 1),
    Case("short", 1, 64),
)
IN_PROCESS: Final = (Case("mixed", 1, 1), Case("mixed", 32, 1), Case("mixed", 128, 1), Case("short", 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts by kind, and where they are from.

    Attributes:
        origin: of them.
        kinds: mixed, as they are, and short, their first words.
        tokens: on average, by kind.
    """

    origin: str
    kinds: dict[str, list[str]]
    tokens: dict[str, float]

    @classmethod
    def of(cls, artifact: Path) -> Texts:
        """Texts that no peer has to cut."""
        opened = Artifact.open(artifact)
        model = opened.manifest.model
        tokenizer = Tokenizer(opened.path(TOKENIZER), vocab_size=model.encoder.vocab_size)
        options = EncodeOptions(limit=1 << 20, truncate=Truncate.END)

        def lengths(texts: Sequence[str]) -> list[int]:
            return [len(text.ids) for text in tokenizer.encode(texts, options)]

        texts, origin = mixed_texts(2 * TEXTS)
        fit = [text for text, tokens in zip(texts, lengths(texts), strict=True) if tokens <= model.max_tokens]
        short = [" ".join(text.split()[:SHORT_WORDS]) for text in texts]
        kinds = {"mixed": fit[:TEXTS], "short": short[:TEXTS]}
        means = {kind: sum(lengths(of)) / len(of) for kind, of in kinds.items()}
        return cls(origin=origin, kinds=kinds, tokens=means)

    @property
    def probe(self) -> list[str]:
        """Some of each kind."""
        return [text for texts in self.kinds.values() for text in texts[:PROBE]]

    def calls(self, case: Case) -> list[list[str]]:
        """The calls of a load, in order."""
        texts = self.kinds[case.kind]
        return [texts[first : first + case.texts] for first in range(0, len(texts), case.texts)]
