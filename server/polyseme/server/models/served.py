"""One model that answers: its manifest, its text encoder, its engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from polyseme.artifact import Manifest, ModelSpec
from polyseme.runtime.heads import LoadedHead
from polyseme.runtime.verification.reference_head import Dense
from polyseme.server.engine.client import EngineClient
from polyseme.server.models.text_encoder import TextEncoder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel:
    """A model that answers.

    Attributes:
        manifest: the manifest of its artifact.
        spec: the part of the manifest about the model.
        version: the version of its artifact.
        encoder: turns texts into tokens.
        engine: runs tokens.
        dense: the dense layers after the pooling, where the server applies them itself; else empty.
        heads: those that predict, by name.
    """

    manifest: Manifest
    spec: ModelSpec
    version: str
    encoder: TextEncoder
    engine: EngineClient
    dense: Sequence[Dense] = ()
    heads: Mapping[str, LoadedHead] = field(default_factory=dict)

    async def close(self) -> None:
        """Stop its engine, and give back what it holds."""
        await self.engine.close()
        self.encoder.close()

    def release(self) -> None:
        """Give back what it holds, if it was never started."""
        self.engine.release()
        self.encoder.close()
