"""One model that answers: what it is, its text encoder, its engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyseme.artifact import Manifest, ModelSpec
from polyseme.runtime.verification.reference_head import Dense
from polyseme.server.engine.client import EngineClient
from polyseme.server.models.text_encoder import TextEncoder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel:
    """A model that answers.

    Attributes:
        manifest: of its artifact.
        spec: the manifest's part about the model.
        version: of the artifact.
        encoder: turns texts into tokens.
        engine: runs tokens.
        dense: the layers after the pooling, where this is not always done in the graph.
    """

    manifest: Manifest
    spec: ModelSpec
    version: str
    encoder: TextEncoder
    engine: EngineClient
    dense: Sequence[Dense] = ()

    async def close(self) -> None:
        """Stop its engine, and give back what it holds."""
        await self.engine.close()
        self.encoder.close()

    def release(self) -> None:
        """Give back what it holds, if it was never started."""
        self.engine.release()
        self.encoder.close()
