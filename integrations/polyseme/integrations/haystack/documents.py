"""A component that embeds documents."""

from __future__ import annotations

from dataclasses import replace

from haystack import Document, component

from polyseme.integrations.haystack.arguments import Arguments


@component
class PolysemeDocumentEmbedder(Arguments):
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
