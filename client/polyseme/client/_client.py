"""The client for threads."""

from collections.abc import Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

import grpc
import numpy as np
from numpy.typing import NDArray

from polyseme.client._arguments.texts import Texts
from polyseme.client._connection import DEFAULT_TARGET, DEFAULT_TIMEOUT_S, Connection
from polyseme.client._convert.health import HealthStatus
from polyseme.client._plans.operations import Operations
from polyseme.client._stream_client import StreamClient
from polyseme.client._transport.channel import channel_options, health_channel_options
from polyseme.client._transport.sync_transport import SyncTransport
from polyseme.client._word_client import WordClient
from polyseme.client.models import Model
from polyseme.client.options import Dtype, EmbedOptions, FloatDtype, OffsetUnit, SimilarityOptions, TextOptions
from polyseme.client.results import EmbedResult, TokenizedText, TopK
from polyseme.client.words import Operands


class Client(WordClient, StreamClient):
    """A connection to a Polyseme server; safe to share between threads.

    One `str` in place of a list drops that axis of the result, everywhere. Every method raises a subclass of
    `PolysemeError`; bad arguments raise InvalidArgumentError, before anything is sent where that can be known.
    Calls that find nobody listening are retried four times, for 1.2 s in all.

    Args:
        target: "host:port", or any gRPC name; a name with several addresses is balanced over those that serve.
        model: NAME or NAME@VERSION of the model to use where a call names none; default: the server's default model.
        timeout: seconds for each call to the server. math.inf: without end.
        credentials: for TLS, from grpc.ssl_channel_credentials(); None: plaintext.
        token: sent with each call as `authorization: Bearer ...`; over plaintext anyone on the way can read it.
        options: gRPC channel options, over the SDK's own.
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
        self._transport = SyncTransport(self._connection, channel_options(options))

    def __repr__(self) -> str:
        return f"Client({self._connection.target!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way in other threads end with ClosedClientError."""
        self._transport.close()

    @overload
    def embed(
        self, texts: Texts, *, dtype: Literal["binary"], **options: Unpack[EmbedOptions]
    ) -> NDArray[np.uint8]: ...
    @overload
    def embed(
        self, texts: Texts, *, dtype: FloatDtype = "float32", **options: Unpack[EmbedOptions]
    ) -> NDArray[np.float32]: ...
    def embed(self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]) -> NDArray[Any]:
        """Embed texts: one vector each.

        A list of any length: it is split into calls that the server accepts, several under way at once.

        Args:
            texts: one text, or several. An empty text is valid, an empty list is not.
            dtype: in which vectors travel: "float16" and "bfloat16" halve the bytes, "int8" (one scale per vector)
                quarters them, "binary" keeps the signs.
            **options: see `EmbedOptions`: normalize, dimensions, truncate, prompt_name, add_special_tokens, priority,
                model, timeout, progress.

        Returns:
            [N, D] float32, [D] for one str: an array of its own, row i for text i. For "binary" uint8
            [N, ceil(D / 8)], the bits packed most significant first: np.unpackbits(..., axis=-1, count=D) unpacks.
        """
        return self.embed_detailed(texts, dtype=dtype, **options).embeddings

    def embed_detailed(self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]) -> EmbedResult:
        """Embed texts as `embed` does; the result also has token counts, truncation, timings and the model."""
        return self._transport.run(self._operations.embed(texts, dtype, options))

    def similarity(
        self, a: Operands, b: Operands | None = None, **options: Unpack[SimilarityOptions]
    ) -> NDArray[np.float32]:
        """Compare every text of a with every text of b, at the server, in one call.

        Args:
            a: one text, or several; a Mention stands for a part of a text.
            b: the same; None: a is compared with itself.
            **options: see `SimilarityOptions`: metric, layers, combine, subtokens, offset_unit, priority, truncate,
                prompt_name, add_special_tokens, model, timeout.

        Returns:
            [N, M] float32; [M] where a is one str or Mention, [N] where b is, [] where both are.
        """
        return self._transport.run(self._operations.similarity(a, b, options))

    def similarity_pairwise(
        self, a: Operands, b: Operands, **options: Unpack[SimilarityOptions]
    ) -> NDArray[np.float32]:
        """Compare text i of a with text i of b: [N] float32, in one call."""
        return self._transport.run(self._operations.similarity_pairwise(a, b, options))

    def top_k(self, queries: Operands, texts: Operands, k: int, **options: Unpack[SimilarityOptions]) -> TopK:
        """Find for each query the k closest of the texts, the closest first, in one call.

        Returns:
            `(scores, indices)`: [N, k] float32 and int64, [k] for one query; indices into texts.
        """
        return self._transport.run(self._operations.top_k(queries, texts, k, options))

    @overload
    def tokenize(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> TokenizedText: ...
    @overload
    def tokenize(
        self, texts: Sequence[str], *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> list[TokenizedText]: ...
    def tokenize(
        self, texts: Texts, *, offset_unit: OffsetUnit = "code_point", **options: Unpack[TextOptions]
    ) -> TokenizedText | list[TokenizedText]:
        """Give the tokens that the model would see, without running it.

        Unlike embed(), `truncate="none"` gives all tokens of a long text.

        Args:
            texts: one text, or several.
            offset_unit: what offsets count; "code_point" fits Python's str.
            **options: see `TextOptions`: truncate, prompt_name, add_special_tokens, model, timeout.

        Returns:
            One TokenizedText per text; for one str, that alone.
        """
        plan = self._operations.tokenize(texts, offset_unit, options)
        tokenized, single = self._transport.run(plan)
        return tokenized[0] if single else tokenized

    def models(self, *, timeout: float | None = None) -> list[Model]:
        """List the server's models, the default one first."""
        return self._transport.run(self._operations.models(timeout=timeout))

    def model(self, name: str | None = None, *, timeout: float | None = None) -> Model:
        """Describe one model; default: the client's, else the server's default model."""
        return self._transport.run(self._operations.model(name, timeout=timeout))

    def health(self, service: str = "", *, timeout: float | None = None) -> HealthStatus:
        """Ask the server's health service, over a connection of its own, once, without retries.

        Args:
            service: "" asks whether the server lives, "polyseme.v1.EmbeddingService" whether it takes calls.
            timeout: seconds; default: the client's.
        """
        self._transport.check_open()
        transport = SyncTransport(self._connection, health_channel_options(self._connection.options))
        with closing(transport):
            return transport.run(self._operations.health(service, timeout=timeout))
