"""LangChain's `Embeddings`."""

from __future__ import annotations

from typing import Unpack

from langchain_core.embeddings import Embeddings

from polyseme.client import EmbedOptions
from polyseme.integrations.embedder import DEFAULT_TARGET, Connection, Embedder


class PolysemeEmbeddings(Embeddings):
    """Vectors of queries and of documents from a Polyseme server. Methods raise a PolysemeError where a call fails.

    Args:
        target: the server, as "host:port".
        query_prompt: name of the prompt before each query; default: "query".
        document_prompt: name of the prompt before each document; default: "document", "passage" or "corpus", the first
            that is not empty. A model that has no prompt of these names uses its default prompt.
        options: of each call, as `Client.embed` takes them.
        **connection: model, timeout, credentials and token, as `Client` takes them.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        options: EmbedOptions | None = None,
        **connection: Unpack[Connection],
    ) -> None:
        self._embedder = Embedder(
            target, query_prompt=query_prompt, document_prompt=document_prompt, options=options, **connection
        )

    def embed_query(self, text: str) -> list[float]:
        """Give the vector of a query."""
        return self._embedder.embed_queries([text])[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Give the vector of each document."""
        return self._embedder.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Give the vector of a query."""
        return (await self._embedder.aembed_queries([text]))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Give the vector of each document."""
        return await self._embedder.aembed_documents(texts)
