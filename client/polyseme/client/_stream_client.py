"""The part of `Client` that is about streams of texts."""

from collections.abc import Generator, Iterable
from typing import Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from polyseme.client._plans.operations import Operations
from polyseme.client._transport.sync_transport import SyncTransport
from polyseme.client.errors import PolysemeError
from polyseme.client.options import Dtype, EmbedStreamOptions, FloatDtype, OnError


class StreamClient:
    """What `Client` has from here."""

    _operations: Operations
    _transport: SyncTransport

    @overload
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: Dtype = ...,
        on_error: Literal["return"],
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[NDArray[np.float32] | PolysemeError, None, None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: Literal["binary"],
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[NDArray[np.uint8], None, None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: FloatDtype = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[NDArray[np.float32], None, None]: ...
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: Dtype = "float32",
        on_error: OnError = "raise",
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[Any, None, None]:
        """Embed texts one after the other, as many as there are, in constant memory.

        The texts are read no more than 1,025 ahead of what was given. A server that restarts is found again, and
        what it had not answered is sent again; a full server is waited for. Leaving the generator (break, close)
        cancels the call.

        Args:
            texts: any iterable; it is read in the calling thread.
            dtype: in which vectors travel; see `embed`.
            on_error: "raise" ends with the error of the first text that the server refuses, after all vectors before
                it; "return" gives the error in place of its vector. What concerns the whole is always raised.
            **options: see `EmbedStreamOptions`: normalize, dimensions, truncate, prompt_name, add_special_tokens,
                priority ("bulk"), model, timeout (for each reply), progress, total.

        Yields:
            [D] float32 for each text, in order, an array of its own; for dtype "binary" uint8 [ceil(D / 8)].
        """
        return self._transport.iterate(self._operations.embed_stream(texts, dtype, on_error, options), texts)
