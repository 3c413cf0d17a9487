"""The model that answers a call, and the texts and tokens that the call had tokenized."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Usage:
    """The usage of one call; grows while the call is under way, on the event loop.

    Attributes:
        model: name of the model that answers, in a stream of the first one; "": none was found yet.
        texts: number of texts that were tokenized.
        tokens: number of their tokens that the model sees.
        truncated: number of texts that were cut.
    """

    model: str = ""
    texts: int = 0
    tokens: int = 0
    truncated: int = 0

    def add(self, texts: int, tokens: int, truncated: int = 0) -> None:
        """Count texts, their tokens, and those that were cut."""
        self.texts += texts
        self.tokens += tokens
        self.truncated += truncated
