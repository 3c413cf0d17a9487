"""The client for asyncio."""

# ruff: noqa: ASYNC109 - a timeout here is the deadline that the server is told

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

import grpc
import numpy as np
from numpy.typing import NDArray

from polyseme.client._arguments.texts import Texts
from polyseme.client._async_stream_client import AsyncStreamClient
from polyseme.client._async_word_client import AsyncWordClient
from polyseme.client._connection import DEFAULT_TARGET, DEFAULT_TIMEOUT_S, Connection
from polyseme.client._convert.health import HealthStatus
from polyseme.client._plans.operations import Operations
from polyseme.client._transport.async_transport import AsyncTransport
from polyseme.client._transport.channel import channel_options, health_channel_options
from polyseme.client.models import Model
from polyseme.client.options import Dtype, EmbedOptions, FloatDtype, OffsetUnit, SimilarityOptions, TextOptions
from polyseme.client.results import EmbedResult, TokenizedText, TopK
from polyseme.client.words import Operands


class AsyncClient(AsyncWordClient, AsyncStreamClient):
    """A connection to a Polyseme server, for one event loop: `Client` with `await`.

    Arguments, results and errors are those of `Client`; cancelling a task cancels its calls.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        model: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._connection = Connection(target, credentials=credentials, token=token, options=options)
        self._operations = Operations(target=target, model=model, timeout=timeout)
        self._transport = AsyncTransport(self._connection, channel_options(options))

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.target!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way end with ClosedClientError."""
        await self._transport.close()

    @overload
    async def embed(
        self, texts: Texts, *, dtype: Literal["binary"], **options: Unpack[EmbedOptions]
    ) -> NDArray[np.uint8]: ...
    @overload
    async def embed(
        self, texts: Texts, *, dtype: FloatDtype = "float32", **options: Unpack[EmbedOptions]
    ) -> NDArray[np.float32]: ...
    async def embed(self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]) -> NDArray[Any]:
        """Embed texts, as `Client.embed`: [N, D] float32, [D] for one str."""
        return (await self.embed_detailed(texts, dtype=dtype, **options)).embeddings

    async def embed_detailed(
        self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]
    ) -> EmbedResult:
        """Embed texts with token counts, truncation, timings and the model, as `Client.embed_detailed`."""
        return await self._transport.run(self._operations.embed(texts, dtype, options))

    async def similarity(
        self, a: Operands, b: Operands | None = None, **options: Unpack[SimilarityOptions]
    ) -> NDArray[np.float32]:
        """Compare every text of a with every text of b, as `Client.similarity`: [N, M] float32."""
        return await self._transport.run(self._operations.similarity(a, b, options))

    async def similarity_pairwise(
        self, a: Operands, b: Operands, **options: Unpack[SimilarityOptions]
    ) -> NDArray[np.float32]:
        """Compare text i of a with text i of b, as `Client.similarity_pairwise`: [N] float32."""
        return await self._transport.run(self._operations.similarity_pairwise(a, b, options))

    async def top_k(self, queries: Operands, texts: Operands, k: int, **options: Unpack[SimilarityOptions]) -> TopK:
        """Find for each query the k closest of the texts, as `Client.top_k`: (scores, indices)."""
        return await self._transport.run(self._operations.top_k(queries, texts, k, options))

    @overload
    async def tokenize(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> TokenizedText: ...
    @overload
    async def tokenize(
        self, texts: Sequence[str], *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> list[TokenizedText]: ...
    async def tokenize(
        self, texts: Texts, *, offset_unit: OffsetUnit = "code_point", **options: Unpack[TextOptions]
    ) -> TokenizedText | list[TokenizedText]:
        """Give the tokens that the model would see, as `Client.tokenize`."""
        plan = self._operations.tokenize(texts, offset_unit, options)
        tokenized, single = await self._transport.run(plan)
        return tokenized[0] if single else tokenized

    async def models(self, *, timeout: float | None = None) -> list[Model]:
        """List the server's models, the default one first."""
        return await self._transport.run(self._operations.models(timeout=timeout))

    async def model(self, name: str | None = None, *, timeout: float | None = None) -> Model:
        """Describe one model; default: the client's, else the server's default model."""
        return await self._transport.run(self._operations.model(name, timeout=timeout))

    async def health(self, service: str = "", *, timeout: float | None = None) -> HealthStatus:
        """Ask the server's health service, as `Client.health`."""
        self._transport.check_open()
        transport = AsyncTransport(self._connection, health_channel_options(self._connection.options))
        try:
            return await transport.run(self._operations.health(service, timeout=timeout))
        finally:
            await transport.close()
