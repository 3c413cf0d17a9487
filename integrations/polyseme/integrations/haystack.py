"""Haystack's embedders: a component for texts, which are taken for queries, and one for documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from haystack import Document, component
from haystack.utils import Secret

from polyseme.client import EmbedOptions
from polyseme.integrations.embedder import DEFAULT_TARGET, Connection, Embedder


class _Component:
    """The arguments of both, as `Embedder` has them; a pipeline with `credentials` cannot be written."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        model: str | None = None,
        prompt: str | None = None,
        options: EmbedOptions | None = None,
        token: Secret | None = None,
        credentials: Callable[[], object] | None = None,
    ) -> None:
        self.target, self.model, self.prompt, self.options = target, model, prompt, options
        self.token, self.credentials = token, credentials
        connection = Connection(model=model, credentials=credentials, token=token and token.resolve_value)
        self._embedder = Embedder(target, query_prompt=prompt, document_prompt=prompt, options=options, **connection)


@component
class PolysemeTextEmbedder(_Component):
    """The vector of a query from a Polyseme server; `prompt` is by default the model's for queries."""

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        """Give the vector of a text; raises a PolysemeError where the call fails."""
        return {"embedding": self._embedder.embed_queries([text])[0]}

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, list[float]]:
        """Give the vector of a text; raises a PolysemeError where the call fails."""
        return {"embedding": (await self._embedder.aembed_queries([text]))[0]}


@component
class PolysemeDocumentEmbedder(_Component):
    """Documents with the vectors of their content; `prompt` is by default the model's for documents."""

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Give copies with vectors; one without content counts as empty. Raises a PolysemeError where a call fails."""
        return _with(documents, self._embedder.embed_documents([one.content or "" for one in documents]))

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Give copies with vectors; one without content counts as empty. Raises a PolysemeError where a call fails."""
        return _with(documents, await self._embedder.aembed_documents([one.content or "" for one in documents]))


def _with(documents: list[Document], vectors: list[list[float]]) -> dict[str, list[Document]]:
    return {"documents": [replace(one, embedding=vector) for one, vector in zip(documents, vectors, strict=True)]}
