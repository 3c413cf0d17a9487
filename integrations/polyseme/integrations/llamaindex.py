"""LlamaIndex's `BaseEmbedding`."""

from __future__ import annotations

from typing import Any, cast

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from polyseme.client import EmbedOptions
from polyseme.integrations.embedder import DEFAULT_TARGET, Connection, Embedder


class PolysemeEmbedding(BaseEmbedding):
    """Vectors of queries and of texts from a Polyseme server. Methods raise a PolysemeError where a call fails."""

    target: str = Field(default=DEFAULT_TARGET, description='The server, as "host:port".')
    model_name: str = Field(default="", description="NAME or NAME@VERSION; empty: the server's default model.")
    embed_batch_size: int = Field(default=256, gt=0, le=2048, description="Texts of one call.")
    query_prompt: str | None = Field(default=None, description="Prompt before queries; None: the model's.")
    document_prompt: str | None = Field(default=None, description="Prompt before texts; None: the model's.")
    options: dict[str, Any] = Field(default_factory=dict, description="Of each call, as Client.embed takes them.")
    connection: dict[str, Any] = Field(
        default_factory=dict, exclude=True, repr=False, description="timeout, credentials, token, as Client takes them."
    )
    _embedder: Embedder = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Make the clients."""
        self._embedder = Embedder(
            self.target,
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
            options=cast("EmbedOptions", self.options),
            **cast("Connection", {"model": self.model_name or None, **self.connection}),
        )

    @classmethod
    def class_name(cls) -> str:
        """Give the name by which LlamaIndex knows the class."""
        return "PolysemeEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embedder.embed_queries([query])[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embedder.embed_documents([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.embed_documents(texts)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._embedder.aembed_queries([query]))[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._embedder.aembed_documents([text]))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await self._embedder.aembed_documents(texts)
