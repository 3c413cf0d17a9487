"""The part of `Client` that is about words in context."""

from collections.abc import Sequence
from typing import Unpack, overload

from polyseme.client._arguments.texts import Texts
from polyseme.client._plans.operations import Operations
from polyseme.client._transport.sync_transport import SyncTransport
from polyseme.client.options import Combine, FloatDtype, Layers, OffsetUnit, SimilarityOptions, Subtokens, TokenOptions
from polyseme.client.results import TokenEmbeddings, WordEmbeddings
from polyseme.client.words import Word, WordInText


class WordClient:
    """What `Client` has from here."""

    _operations: Operations
    _transport: SyncTransport

    @overload
    def embed_tokens(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
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
    def embed_tokens(
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
    def embed_tokens(
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
        """Embed every token of each text, in its context.

        Args:
            texts: one text, or several.
            layers: which layers; one of them, or several in the order asked for.
            combine: how several layers become one vector; "none" keeps them apart.
            dtype: in which vectors travel; they arrive as float32.
            include_special_tokens: whether [CLS], [SEP] and the like are part of the result.
            offset_unit: what offsets count; "code_point" fits Python's str.
            **options: see `TokenOptions`: truncate, prompt_name, add_special_tokens, priority, model, timeout. Large
                replies come as a stream, and timeout is then what each message of it may take.

        Returns:
            One TokenEmbeddings per text, with vectors [T, H] or [layers, T, H]; for one str, that alone.
        """
        plan = self._operations.embed_tokens(
            texts,
            options,
            layers=layers,
            combine=combine,
            dtype=dtype,
            include_special_tokens=include_special_tokens,
            offset_unit=offset_unit,
        )
        embedded, single = self._transport.run(plan)
        return embedded[0] if single else embedded

    @overload
    def embed_words(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
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
    def embed_words(
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
    def embed_words(
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
        """Embed words or spans of each text, in their context; with neither, every word.

        Args:
            texts: one text, or several.
            words: what to look for in every text; a str means all of its occurrences.
            spans: (start, end) pairs of the text; for a list of texts, one sequence of pairs for each.
            layers: which layers; one of them, or several in the order asked for.
            combine: how several layers become one vector; "none" keeps them apart.
            subtokens: how the tokens of a word become one vector.
            normalize: whether vectors are scaled to length 1.
            dtype: in which vectors travel; they arrive as float32.
            offset_unit: what offsets count, in spans and in the result; "code_point" fits Python's str.
            **options: see `TokenOptions`: truncate, prompt_name, add_special_tokens, priority, model, timeout. Large
                replies come as a stream, and timeout is then what each message of it may take.

        Returns:
            One WordEmbeddings per text, with vectors [K, H] or [layers, K, H]; for one str, that alone.
        """
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
        embedded, single = self._transport.run(plan)
        return embedded[0] if single else embedded

    def word_similarity(self, a: WordInText, b: WordInText, **options: Unpack[SimilarityOptions]) -> float:
        """Compare a word of one text with a word of another, both in their context, at the server.

        Args:
            a: a Mention, or (text, word) where word is a str that occurs once, a Word, or (start, end).
            b: the same.
            **options: see `SimilarityOptions`: metric, layers, combine, subtokens, offset_unit, priority, truncate,
                prompt_name, add_special_tokens, model, timeout.

        Returns:
            The cosine, or what metric asks for.
        """
        return self._transport.run(self._operations.word_similarity(a, b, options))
