"""The client for asyncio."""

# ruff: noqa: ASYNC109  a timeout here is the deadline that the server is told

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from functools import partial
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

import numpy as np
import numpy.typing as npt

from polyseme.client._arguments.pairs import TextsOrPairs
from polyseme.client._arguments.passages import Passages, Splitter
from polyseme.client._arguments.texts import Texts
from polyseme.client._convert.health import HealthStatus
from polyseme.client._plans.defaults import Defaults
from polyseme.client._plans.parts.plans import plan_embed_tokens, plan_embed_words
from polyseme.client._plans.passages.plan import plan_embed_passages
from polyseme.client._plans.predictions import plan_answer, plan_classify, plan_entities, plan_rerank
from polyseme.client._plans.server import (
    READY_TIMEOUT_S,
    START_TIMEOUT_S,
    plan_health,
    plan_model,
    plan_models,
    plan_wait_until_ready,
)
from polyseme.client._plans.similarity import (
    plan_similarity,
    plan_similarity_pairwise,
    plan_top_k,
    plan_word_similarity,
)
from polyseme.client._plans.streams.embed_stream import plan_embed_stream
from polyseme.client._plans.texts.plans import plan_embed, plan_tokenize
from polyseme.client._transport.channel import channel_options, health_channel_options
from polyseme.client._transport.connection import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_S,
    Connection,
    Credentials,
    Metadata,
    Token,
)
from polyseme.client._transport.event_loop.transport import AsyncTransport
from polyseme.client._transport.rpc import Plan
from polyseme.client.errors import PolysemeError
from polyseme.client.models import Model
from polyseme.client.options import (
    Aggregation,
    Dtype,
    EmbedOptions,
    EmbedPassagesOptions,
    EmbedStreamOptions,
    EmbedTokensOptions,
    EmbedWordsOptions,
    FloatDtype,
    OffsetUnit,
    OnError,
    PredictionOptions,
    SimilarityOptions,
    SpanOptions,
    TextOptions,
)
from polyseme.client.predictions import Answered, Classification, Ranked, TaggedText
from polyseme.client.results import EmbedResult, PassageEmbeddings, TokenEmbeddings, TokenizedText, TopK, WordEmbeddings
from polyseme.client.words import Operands, WordInText

if TYPE_CHECKING:
    from polyseme.client._local.server import LocalServer

_T = TypeVar("_T")


class AsyncClient:
    """A connection to a Polyseme server, for one event loop at a time: `Client` with `await`.

    Arguments, results and errors are those of `Client`; cancelling a task cancels its calls. Used while another event
    loop that uses it still runs, it raises EventLoopError. A process that is forked while it is open cannot use gRPC.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        model: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        credentials: Credentials | None = None,
        token: Token | None = None,
        metadata: Metadata = (),
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._connection = Connection(target, credentials=credentials, token=token, metadata=metadata, options=options)
        self._defaults = Defaults(target=target, model=model, timeout=timeout)
        self._transport = AsyncTransport(self._connection, channel_options(self._connection.options))
        self._server: LocalServer | None = None

    @classmethod
    async def local(
        cls,
        source: str | PathLike[str],
        *,
        model: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        options: Sequence[tuple[str, Any]] = (),
        start_timeout: float = START_TIMEOUT_S,
        **settings: str | float | bool,
    ) -> Self:
        """Call a server on this machine that is there as long as programs use it, as `Client.local`."""
        from polyseme.client._local.request import request_for  # few callers have a server of their own
        from polyseme.client._local.server import use_server

        server = await asyncio.to_thread(use_server, request_for(source, settings), start_timeout)
        client = cls(server.target, model=model, timeout=timeout, options=options)
        client._server = server
        return client

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.target!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._server is not None:
            raise TypeError("an AsyncClient of local() cannot be pickled: await local() in the other process")
        return partial(type(self), **self._connection.picklable(), **self._defaults.picklable()), ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way end with ClosedClientError."""
        await self._transport.close()
        if self._server is not None:
            self._server.release()

    @overload
    async def embed(
        self, texts: Texts, *, dtype: Literal["binary"], **options: Unpack[EmbedOptions]
    ) -> npt.NDArray[np.uint8]: ...
    @overload
    async def embed(
        self, texts: Texts, *, dtype: FloatDtype = "float32", **options: Unpack[EmbedOptions]
    ) -> npt.NDArray[np.float32]: ...
    async def embed(
        self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]
    ) -> npt.NDArray[Any]:
        """Embed texts, as `Client.embed`: [N, D] float32, [D] for one str."""
        return (await self.embed_detailed(texts, dtype=dtype, **options)).embeddings

    async def embed_detailed(
        self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """Embed texts with token counts, truncation, timings and the model, as `Client.embed_detailed`."""
        return await self._transport.run(plan_embed(self._defaults, texts, dtype, options))

    @overload
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: Dtype = ...,
        on_error: Literal["return"],
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[npt.NDArray[np.float32] | PolysemeError, None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: Literal["binary"],
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[npt.NDArray[np.uint8], None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: FloatDtype = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[npt.NDArray[np.float32], None]: ...
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: Dtype = "float32",
        on_error: OnError = "raise",
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[Any, None]:
        """Embed texts one after the other, as `Client.embed_stream`; texts may be an async iterable."""
        return self._transport.iterate(plan_embed_stream(self._defaults, texts, dtype, on_error, options), texts)

    @overload
    async def embed_tokens(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, **options: Unpack[EmbedTokensOptions]
    ) -> TokenEmbeddings: ...
    @overload
    async def embed_tokens(
        self, texts: Iterable[str], **options: Unpack[EmbedTokensOptions]
    ) -> list[TokenEmbeddings]: ...
    async def embed_tokens(
        self, texts: Texts, **options: Unpack[EmbedTokensOptions]
    ) -> TokenEmbeddings | list[TokenEmbeddings]:
        """Embed every token of each text, as `Client.embed_tokens`: [T, H] or [layers, T, H] for each."""
        embedded, single = await self._transport.run(plan_embed_tokens(self._defaults, texts, options))
        return embedded[0] if single else embedded

    @overload
    async def embed_words(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, *, spans: Sequence[tuple[int, int]] | None = ..., **options: Unpack[EmbedWordsOptions]
    ) -> WordEmbeddings: ...
    @overload
    async def embed_words(
        self,
        texts: Iterable[str],
        *,
        spans: Sequence[Sequence[tuple[int, int]]] | None = ...,
        **options: Unpack[EmbedWordsOptions],
    ) -> list[WordEmbeddings]: ...
    async def embed_words(
        self,
        texts: Texts,
        *,
        spans: Sequence[tuple[int, int]] | Sequence[Sequence[tuple[int, int]]] | None = None,
        **options: Unpack[EmbedWordsOptions],
    ) -> WordEmbeddings | list[WordEmbeddings]:
        """Embed words or spans of each text, as `Client.embed_words`: [K, H] or [layers, K, H] for each."""
        embedded, single = await self._transport.run(plan_embed_words(self._defaults, texts, spans, options))
        return embedded[0] if single else embedded

    @overload
    async def embed_passages(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, documents: str, passages: Passages | Splitter, **options: Unpack[EmbedPassagesOptions]
    ) -> PassageEmbeddings: ...
    @overload
    async def embed_passages(
        self, documents: Iterable[str], passages: Iterable[Passages] | Splitter, **options: Unpack[EmbedPassagesOptions]
    ) -> list[PassageEmbeddings]: ...
    async def embed_passages(
        self,
        documents: Texts,
        passages: Passages | Iterable[Passages] | Splitter,
        **options: Unpack[EmbedPassagesOptions],
    ) -> PassageEmbeddings | list[PassageEmbeddings]:
        """Embed passages, each in the context of its document, as `Client.embed_passages`: [K, H] for each."""
        embedded, single = await self._transport.run(plan_embed_passages(self._defaults, documents, passages, options))
        return embedded[0] if single else embedded

    async def similarity(
        self, a: Operands, b: Operands | None = None, **options: Unpack[SimilarityOptions]
    ) -> npt.NDArray[np.float32]:
        """Compare every text of a with every text of b, as `Client.similarity`: [N, M] float32."""
        return await self._transport.run(plan_similarity(self._defaults, a, b, options))

    async def similarity_pairwise(
        self, a: Operands, b: Operands, **options: Unpack[SimilarityOptions]
    ) -> npt.NDArray[np.float32]:
        """Compare text i of a with text i of b, as `Client.similarity_pairwise`: [N] float32."""
        return await self._transport.run(plan_similarity_pairwise(self._defaults, a, b, options))

    async def top_k(self, queries: Operands, texts: Operands, k: int, **options: Unpack[SimilarityOptions]) -> TopK:
        """Find for each query the k closest of the texts, as `Client.top_k`: (scores, indices)."""
        return await self._transport.run(plan_top_k(self._defaults, queries, texts, k, options))

    async def word_similarity(self, a: WordInText, b: WordInText, **options: Unpack[SimilarityOptions]) -> float:
        """Compare two words in their context, as `Client.word_similarity`."""
        return await self._transport.run(plan_word_similarity(self._defaults, a, b, options))

    @overload
    async def classify(  # type: ignore[overload-overlap]  # a str is an Iterable[str], and comes first
        self, texts: str | tuple[str, str], **options: Unpack[PredictionOptions]
    ) -> Classification: ...
    @overload
    async def classify(
        self, texts: Iterable[str] | Iterable[tuple[str, str]], **options: Unpack[PredictionOptions]
    ) -> list[Classification]: ...
    async def classify(
        self, texts: TextsOrPairs, **options: Unpack[PredictionOptions]
    ) -> Classification | list[Classification]:
        """Classify texts, or pairs of texts, as `Client.classify`."""
        classified, single = await self._transport.run(plan_classify(self._defaults, texts, options))
        return classified[0] if single else classified

    @overload
    async def entities(  # type: ignore[overload-overlap]  # a str is an Iterable[str], and comes first
        self, texts: str, *, aggregation: Aggregation = ..., **options: Unpack[SpanOptions]
    ) -> TaggedText: ...
    @overload
    async def entities(
        self, texts: Iterable[str], *, aggregation: Aggregation = ..., **options: Unpack[SpanOptions]
    ) -> list[TaggedText]: ...
    async def entities(
        self, texts: Texts, *, aggregation: Aggregation = "simple", **options: Unpack[SpanOptions]
    ) -> TaggedText | list[TaggedText]:
        """Find entities in texts, as `Client.entities`."""
        tagged, single = await self._transport.run(plan_entities(self._defaults, texts, aggregation, options))
        return tagged[0] if single else tagged

    @overload
    async def answer(  # type: ignore[overload-overlap]  # a str is an Iterable[str], and comes first
        self,
        question: str,
        context: str,
        *,
        top_k: int = ...,
        max_answer_tokens: int = ...,
        may_have_none: bool = ...,
        **options: Unpack[SpanOptions],
    ) -> Answered: ...
    @overload
    async def answer(
        self,
        question: Iterable[str],
        context: Iterable[str],
        *,
        top_k: int = ...,
        max_answer_tokens: int = ...,
        may_have_none: bool = ...,
        **options: Unpack[SpanOptions],
    ) -> list[Answered]: ...
    async def answer(
        self,
        question: Texts,
        context: Texts,
        *,
        top_k: int = 1,
        max_answer_tokens: int = 15,
        may_have_none: bool = False,
        **options: Unpack[SpanOptions],
    ) -> Answered | list[Answered]:
        """Answer questions by spans of contexts, as `Client.answer`."""
        plan = plan_answer(
            self._defaults,
            question,
            context,
            top_k=top_k,
            max_answer_tokens=max_answer_tokens,
            may_have_none=may_have_none,
            options=options,
        )
        answers, single = await self._transport.run(plan)
        return answers[0] if single else answers

    async def rerank(
        self, query: str, texts: Iterable[str], *, top_k: int | None = None, **options: Unpack[PredictionOptions]
    ) -> list[Ranked]:
        """Put texts in the order of how well they fit a query, as `Client.rerank`."""
        return await self._transport.run(plan_rerank(self._defaults, query, texts, top_k, options))

    @overload
    async def tokenize(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> TokenizedText: ...
    @overload
    async def tokenize(
        self, texts: Iterable[str], *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> list[TokenizedText]: ...
    async def tokenize(
        self, texts: Texts, *, offset_unit: OffsetUnit = "code_point", **options: Unpack[TextOptions]
    ) -> TokenizedText | list[TokenizedText]:
        """Give the tokens that the model would see, as `Client.tokenize`."""
        plan = plan_tokenize(self._defaults, texts, offset_unit, options)
        tokenized, single = await self._transport.run(plan)
        return tokenized[0] if single else tokenized

    async def models(self, *, timeout: float | None = None) -> list[Model]:
        """List the server's models, the default one first."""
        return await self._transport.run(plan_models(self._defaults, timeout=timeout))

    async def model(self, name: str | None = None, *, timeout: float | None = None) -> Model:
        """Describe one model; default: the client's, else the server's default model."""
        return await self._transport.run(plan_model(self._defaults, name, timeout=timeout))

    async def health(self, service: str = "", *, timeout: float | None = None) -> HealthStatus:
        """Ask the server's health service, as `Client.health`."""
        self._transport.check_open()
        return await self._run_apart(plan_health(self._defaults, service, timeout=timeout))

    async def wait_until_ready(self, timeout: float = READY_TIMEOUT_S) -> None:
        """Wait until the server takes calls, as `Client.wait_until_ready`."""
        self._transport.check_open()
        await self._run_apart(plan_wait_until_ready(self._defaults, timeout, time.monotonic))

    async def _run_apart(self, plan: Plan[_T]) -> _T:
        """Run a plan over a channel of its own, which neither retries nor heeds health."""
        transport = AsyncTransport(self._connection, health_channel_options(self._connection.options))
        try:
            return await transport.run(plan)
        finally:
            await transport.close()
