"""The part of `AsyncClient` that is about streams of texts."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from polyseme.client._plans.operations import Operations
from polyseme.client._transport.async_transport import AsyncTransport
from polyseme.client.errors import PolysemeError
from polyseme.client.options import Dtype, EmbedStreamOptions, FloatDtype, OnError


class AsyncStreamClient:
    """What `AsyncClient` has from here."""

    _operations: Operations
    _transport: AsyncTransport

    @overload
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: Dtype = ...,
        on_error: Literal["return"],
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[NDArray[np.float32] | PolysemeError, None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: Literal["binary"],
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[NDArray[np.uint8], None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: FloatDtype = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[NDArray[np.float32], None]: ...
    def embed_stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        dtype: Dtype = "float32",
        on_error: OnError = "raise",
        **options: Unpack[EmbedStreamOptions],
    ) -> AsyncGenerator[Any, None]:
        """Embed texts one after the other, as `Client.embed_stream`; texts may be an async iterable."""
        return self._transport.iterate(self._operations.embed_stream(texts, dtype, on_error, options), texts)
