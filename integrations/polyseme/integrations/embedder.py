"""Queries and documents to lists of floats, each with the prompt that the model has for it; blocking and async."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, Unpack

from polyseme.client import AsyncClient, Client, EmbedOptions, Model

DEFAULT_TARGET: Final = "localhost:50051"
QUERY: Final = ("query",)
DOCUMENT: Final = ("document", "passage", "corpus")
"""Names of prompts, in the order in which they are looked for. Source: sentence-transformers, encode_document."""


class Connection(TypedDict, total=False):
    """Arguments of the SDK's clients, as `polyseme.client.Client` describes them."""

    model: str | None
    timeout: float
    credentials: Any
    token: str | Callable[[], str | None] | None


class Embedder:
    """A client and an async client of one server. Every method raises a PolysemeError where a call fails.

    Args:
        target: the server, as "host:port".
        query_prompt: name of the prompt before each query; default: "query".
        document_prompt: name of the prompt before each document; default: "document", "passage" or "corpus", the first
            that is not empty. A model that has no prompt of these names uses its default prompt.
        options: of each call, as `Client.embed` takes them.
        **connection: of both clients.
    """

    def __init__(
        self,
        target: str,
        *,
        query_prompt: str | None,
        document_prompt: str | None,
        options: EmbedOptions | None,
        **connection: Unpack[Connection],
    ) -> None:
        self._client = Client(target, **connection)
        self._async_client = AsyncClient(target, **connection)
        self._query_prompt, self._document_prompt = query_prompt, document_prompt
        self._options = options or EmbedOptions()
        self._model: Model | None = None

    def embed_queries(self, texts: Sequence[str]) -> list[list[float]]:
        """Give the vector of each query."""
        return self._embed(texts, self._query_prompt, QUERY)

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Give the vector of each document."""
        return self._embed(texts, self._document_prompt, DOCUMENT)

    async def aembed_queries(self, texts: Sequence[str]) -> list[list[float]]:
        """Give the vector of each query."""
        return await self._aembed(texts, self._query_prompt, QUERY)

    async def aembed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Give the vector of each document."""
        return await self._aembed(texts, self._document_prompt, DOCUMENT)

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the async client."""
        await self._async_client.close()

    def _embed(self, texts: Sequence[str], prompt: str | None, names: Sequence[str]) -> list[list[float]]:
        if self._needs_model(prompt):
            self._model = self._client.model()
        vectors: list[list[float]] = self._client.embed(list(texts), **self._options_for(prompt, names)).tolist()
        return vectors

    async def _aembed(self, texts: Sequence[str], prompt: str | None, names: Sequence[str]) -> list[list[float]]:
        if self._needs_model(prompt):
            self._model = await self._async_client.model()
        found = await self._async_client.embed(list(texts), **self._options_for(prompt, names))
        vectors: list[list[float]] = found.tolist()
        return vectors

    def _needs_model(self, prompt: str | None) -> bool:
        return self._model is None and prompt is None and not self._options.get("without_prompt")

    def _options_for(self, prompt: str | None, names: Sequence[str]) -> EmbedOptions:
        if prompt is None and self._model is not None:
            prompt = prompt_for(names, self._model.prompts)
        return {"prompt_name": prompt, **self._options}


def prompt_for(names: Sequence[str], prompts: Mapping[str, str]) -> str | None:
    """Choose the first of the names whose prompt is not empty, else the first that is there; None: none is there.

    An export puts an empty "document" beside a "passage" that says something.
    """
    there = [name for name in names if name in prompts]
    return next((name for name in there if prompts[name]), there[0] if there else None)
