"""A component that embeds a text, as a query."""

from __future__ import annotations

from haystack import component

from polyseme.integrations.haystack.arguments import Arguments


@component
class PolysemeTextEmbedder(Arguments):
    """The vector of a query from a Polyseme server; `prompt` is by default the model's for queries."""

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        """Give the vector of a text; raises a PolysemeError where the call fails."""
        return {"embedding": self._embedder.embed_queries([text])[0]}

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, list[float]]:
        """Give the vector of a text; raises a PolysemeError where the call fails."""
        return {"embedding": (await self._embedder.aembed_queries([text]))[0]}
