"""The part of `AsyncClient` that is about words in context."""

from collections.abc import Sequence
from typing import Unpack, overload

from polyseme.client._arguments.texts import Texts
from polyseme.client._plans.operations import Operations
from polyseme.client._transport.async_transport import AsyncTransport
from polyseme.client.options import Combine, FloatDtype, Layers, OffsetUnit, SimilarityOptions, Subtokens, TokenOptions
from polyseme.client.results import TokenEmbeddings, WordEmbeddings
from polyseme.client.words import Word, WordInText


class AsyncWordClient:
    """What `AsyncClient` has from here."""

    _operations: Operations
    _transport: AsyncTransport

    @overload
    async def embed_tokens(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self,
        texts: str,
        *,
        layers: Layers = ...,
        combine: Combine = ...,
        dtype: FloatDtype = ...,
        include_special_tokens: bool = ...,
        offset_unit: OffsetUnit = ...,
        **options: Unpack[TokenOptions],
    ) -> TokenEmbeddings: ...
    @overload
    async def embed_tokens(
        self,
        texts: Sequence[str],
        *,
        layers: Layers = ...,
        combine: Combine = ...,
        dtype: FloatDtype = ...,
        include_special_tokens: bool = ...,
        offset_unit: OffsetUnit = ...,
        **options: Unpack[TokenOptions],
    ) -> list[TokenEmbeddings]: ...
    async def embed_tokens(
        self,
        texts: Texts,
        *,
        layers: Layers = (-1,),
        combine: Combine = "none",
        dtype: FloatDtype = "float32",
        include_special_tokens: bool = False,
        offset_unit: OffsetUnit = "code_point",
        **options: Unpack[TokenOptions],
    ) -> TokenEmbeddings | list[TokenEmbeddings]:
        """Embed every token of each text, as `Client.embed_tokens`."""
        plan = self._operations.embed_tokens(
            texts,
            options,
            layers=layers,
            combine=combine,
            dtype=dtype,
            include_special_tokens=include_special_tokens,
            offset_unit=offset_unit,
        )
        embedded, single = await self._transport.run(plan)
        return embedded[0] if single else embedded

    @overload
    async def embed_words(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self,
        texts: str,
        *,
        words: str | Word | Sequence[str | Word] | None = ...,
        spans: Sequence[tuple[int, int]] | None = ...,
        layers: Layers = ...,
        combine: Combine = ...,
        subtokens: Subtokens = ...,
        normalize: bool = ...,
        dtype: FloatDtype = ...,
        offset_unit: OffsetUnit = ...,
        **options: Unpack[TokenOptions],
    ) -> WordEmbeddings: ...
    @overload
    async def embed_words(
        self,
        texts: Sequence[str],
        *,
        words: str | Word | Sequence[str | Word] | None = ...,
        spans: Sequence[Sequence[tuple[int, int]]] | None = ...,
        layers: Layers = ...,
        combine: Combine = ...,
        subtokens: Subtokens = ...,
        normalize: bool = ...,
        dtype: FloatDtype = ...,
        offset_unit: OffsetUnit = ...,
        **options: Unpack[TokenOptions],
    ) -> list[WordEmbeddings]: ...
    async def embed_words(
        self,
        texts: Texts,
        *,
        words: str | Word | Sequence[str | Word] | None = None,
        spans: Sequence[tuple[int, int]] | Sequence[Sequence[tuple[int, int]]] | None = None,
        layers: Layers = (-1,),
        combine: Combine = "sum",
        subtokens: Subtokens = "mean",
        normalize: bool = False,
        dtype: FloatDtype = "float32",
        offset_unit: OffsetUnit = "code_point",
        **options: Unpack[TokenOptions],
    ) -> WordEmbeddings | list[WordEmbeddings]:
        """Embed words or spans of each text, as `Client.embed_words`."""
        plan = self._operations.embed_words(
            texts,
            options,
            words=words,
            spans=spans,
            layers=layers,
            combine=combine,
            subtokens=subtokens,
            normalize=normalize,
            dtype=dtype,
            offset_unit=offset_unit,
        )
        embedded, single = await self._transport.run(plan)
        return embedded[0] if single else embedded

    async def word_similarity(self, a: WordInText, b: WordInText, **options: Unpack[SimilarityOptions]) -> float:
        """Compare two words in their context, as `Client.word_similarity`."""
        return await self._transport.run(self._operations.word_similarity(a, b, options))
