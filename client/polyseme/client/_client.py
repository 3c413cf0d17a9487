"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
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
from polyseme.client._transport.blocking.transport import SyncTransport
from polyseme.client._transport.channel import channel_options, health_channel_options
from polyseme.client._transport.connection import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_S,
    Connection,
    Credentials,
    Metadata,
    Token,
)
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


class Client:
    """A connection to a Polyseme server; safe to share between threads.

    A single `str` in place of a list drops that axis of the result, everywhere. Every method raises a subclass of
    `PolysemeError`. A bad argument is an InvalidArgumentError, raised before anything is sent where the SDK can know;
    an unknown keyword is a TypeError. A call is retried four times, for 1.2 s in all, where no server listens.

    A client can be pickled, without its token and its credentials: the copy takes its token from POLYSEME_TOKEN, or
    from the function that was given as token. A forked process can go on with it, unless it was forked beside an open
    stream or AsyncClient: then calls raise ForkedProcessError.

    Args:
        target: the server, as "host:port" or another gRPC name; calls go in turn to all addresses of the name that
            serve.
        model: NAME or NAME@VERSION of the model for calls that name none; default: the server's default model.
        timeout: seconds for each call to the server; math.inf: no limit.
        credentials: for TLS, from grpc.ssl_channel_credentials(), or a function that makes them; None: plaintext.
        token: sent with each call as `authorization: Bearer ...`; over plaintext anyone on the way can read it. A
            function is asked for it at each call; where it gives None, none is sent.
        metadata: headers that go with each call, as ("x-request-id", "..."), or a function that is asked for them at
            each call.
        options: gRPC channel options, which override the SDK's.

    Raises:
        InvalidArgumentError: an argument is wrong; nothing was sent.
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
        self._transport = SyncTransport(self._connection, channel_options(self._connection.options))
        self._server: LocalServer | None = None
        self._again: Callable[[], Self] | None = None

    @classmethod
    def local(
        cls,
        source: str | PathLike[str],
        *,
        model: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        options: Sequence[tuple[str, Any]] = (),
        start_timeout: float = START_TIMEOUT_S,
        **settings: str | float | bool,
    ) -> Self:
        """Call a server on this machine that is there as long as programs use it; start it where none runs.

        It listens on a Unix socket that no other user can reach. Programs that ask for the same share it, forked
        processes and pickled clients too; it ends within seconds of its last user, however that ended. It is
        `polyseme serve` of this interpreter, and needs `pip install 'polyseme[server]'`.

        Args:
            source: a directory that `polyseme export` wrote, "hf:ID[@REVISION]" or "package:NAME"; the last two are
                exported first, into a cache, which needs `polyseme[server,export]`.
            model: as of `Client`.
            timeout: as of `Client`.
            options: as of `Client`.
            start_timeout: seconds until the server is ready, an export included; math.inf: no limit.
            **settings: those of `polyseme serve`, as runners=1 or device="cpu". Variables POLYSEME_... are not read,
                but for POLYSEME_CACHE.

        Raises:
            InvalidArgumentError: an argument is wrong.
            MissingDependencyError: this installation has no server; the message names the extra that brings it.
            LocalServerError: the server ended; the message has its last lines.
            DeadlineExceededError: the server was not ready in time.
        """
        from polyseme.client._local.request import request_for  # few callers have a server of their own
        from polyseme.client._local.server import use_server

        server = use_server(request_for(source, settings), start_timeout)
        client = cls(server.target, model=model, timeout=timeout, options=options)
        client._server = server
        client._again = partial(
            cls.local, source, model=model, timeout=timeout, options=options, start_timeout=start_timeout, **settings
        )
        return client

    def __repr__(self) -> str:
        return f"Client({self._connection.target!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._again is not None:
            return self._again, ()
        return partial(type(self), **self._connection.picklable(), **self._defaults.picklable()), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way in other threads end with ClosedClientError."""
        self._transport.close()
        if self._server is not None:
            self._server.release()

    @overload
    def embed(
        self, texts: Texts, *, dtype: Literal["binary"], **options: Unpack[EmbedOptions]
    ) -> npt.NDArray[np.uint8]: ...
    @overload
    def embed(
        self, texts: Texts, *, dtype: FloatDtype = "float32", **options: Unpack[EmbedOptions]
    ) -> npt.NDArray[np.float32]: ...
    def embed(self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]) -> npt.NDArray[Any]:
        """Embed texts: one vector each.

        The list may have any length: it is split into calls that the server accepts, several under way at once.

        Args:
            texts: one text, or several, as any iterable of str; for none, the result is [0, D].
            dtype: element type in which vectors are sent: "float16" and "bfloat16" halve the bytes, "int8" (one scale
                per vector) quarters them, "binary" keeps the signs.
            **options: see `EmbedOptions`: normalize, dimensions, truncate, prompt_name, without_prompt,
                add_special_tokens, priority, model, timeout, progress.

        Returns:
            [N, D] float32, [D] for one str: an array of its own, row i for text i. For "binary" uint8
            [N, ceil(D / 8)], the bits packed most significant first: np.unpackbits(..., axis=-1, count=D) unpacks.

        Raises:
            PolysemeError: the call failed; `InvalidArgumentError.field` names a text that was refused, as `texts[3]`.
        """
        return self.embed_detailed(texts, dtype=dtype, **options).embeddings

    def embed_detailed(self, texts: Texts, *, dtype: Dtype = "float32", **options: Unpack[EmbedOptions]) -> EmbedResult:
        """Embed texts as `embed` does; the result also has token counts, truncation, timings and the model.

        For dtype "int8" it has the elements and scales as they were sent too, for stores that have columns of int8.
        """
        return self._transport.run(plan_embed(self._defaults, texts, dtype, options))

    @overload
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: Dtype = ...,
        on_error: Literal["return"],
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[npt.NDArray[np.float32] | PolysemeError, None, None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: Literal["binary"],
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[npt.NDArray[np.uint8], None, None]: ...
    @overload
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: FloatDtype = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[npt.NDArray[np.float32], None, None]: ...
    def embed_stream(
        self,
        texts: Iterable[str],
        *,
        dtype: Dtype = "float32",
        on_error: OnError = "raise",
        **options: Unpack[EmbedStreamOptions],
    ) -> Generator[Any, None, None]:
        """Embed any number of texts, one after the other, in constant memory.

        At most 1,025 texts are read ahead of the vectors that were given. After a restart of the server, the stream
        connects again and sends what was not answered; it waits for a full server. Leaving the generator (break, close)
        cancels the call.

        Args:
            texts: any iterable; it is read in the calling thread.
            dtype: element type in which vectors are sent; see `embed`.
            on_error: "raise" raises the error of the first text that the server refuses, after all vectors before it;
                "return" gives the error in place of that text's vector. An error of the whole stream is always raised.
            **options: see `EmbedStreamOptions`: normalize, dimensions, truncate, prompt_name, without_prompt,
                add_special_tokens, priority ("bulk"), model, timeout (for each reply), progress, total.

        Yields:
            [D] float32 for each text, in order, an array of its own; for dtype "binary" uint8 [ceil(D / 8)].

        Raises:
            PolysemeError: the stream failed, or a text with on_error="raise".
        """
        return self._transport.iterate(plan_embed_stream(self._defaults, texts, dtype, on_error, options), texts)

    @overload
    def embed_tokens(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, **options: Unpack[EmbedTokensOptions]
    ) -> TokenEmbeddings: ...
    @overload
    def embed_tokens(self, texts: Iterable[str], **options: Unpack[EmbedTokensOptions]) -> list[TokenEmbeddings]: ...
    def embed_tokens(
        self, texts: Texts, **options: Unpack[EmbedTokensOptions]
    ) -> TokenEmbeddings | list[TokenEmbeddings]:
        """Embed every token of each text, in its context.

        Args:
            texts: one text, or several.
            **options: see `EmbedTokensOptions`: layers, combine, dtype, include_special_tokens, offset_unit, truncate,
                prompt_name, without_prompt, add_special_tokens, priority, progress, model, timeout. A large reply comes
                as a stream; timeout then limits each message of it.

        Returns:
            One TokenEmbeddings per text, with float32 vectors [T, H] or [layers, T, H]; for one str, that alone.

        Raises:
            PolysemeError: the call failed.
        """
        embedded, single = self._transport.run(plan_embed_tokens(self._defaults, texts, options))
        return embedded[0] if single else embedded

    @overload
    def embed_words(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, *, spans: Sequence[tuple[int, int]] | None = ..., **options: Unpack[EmbedWordsOptions]
    ) -> WordEmbeddings: ...
    @overload
    def embed_words(
        self,
        texts: Iterable[str],
        *,
        spans: Sequence[Sequence[tuple[int, int]]] | None = ...,
        **options: Unpack[EmbedWordsOptions],
    ) -> list[WordEmbeddings]: ...
    def embed_words(
        self,
        texts: Texts,
        *,
        spans: Sequence[tuple[int, int]] | Sequence[Sequence[tuple[int, int]]] | None = None,
        **options: Unpack[EmbedWordsOptions],
    ) -> WordEmbeddings | list[WordEmbeddings]:
        """Embed words or spans of each text, in their context; with neither, every word.

        Args:
            texts: one text, or several.
            spans: (start, end) pairs of the text; for a list of texts, one sequence of pairs for each.
            **options: see `EmbedWordsOptions`: words, layers, combine, subtokens, normalize, dtype, offset_unit,
                truncate, prompt_name, without_prompt, add_special_tokens, priority, progress, model, timeout. A large
                reply comes as a stream; timeout then limits each message of it.

        Returns:
            One WordEmbeddings per text, with float32 vectors [K, H] or [layers, K, H]; for one str, that alone.

        Raises:
            PolysemeError: the call failed; InvalidArgumentError where a text lacks a word.
        """
        embedded, single = self._transport.run(plan_embed_words(self._defaults, texts, spans, options))
        return embedded[0] if single else embedded

    @overload
    def embed_passages(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, documents: str, passages: Passages | Splitter, **options: Unpack[EmbedPassagesOptions]
    ) -> PassageEmbeddings: ...
    @overload
    def embed_passages(
        self, documents: Iterable[str], passages: Iterable[Passages] | Splitter, **options: Unpack[EmbedPassagesOptions]
    ) -> list[PassageEmbeddings]: ...
    def embed_passages(
        self,
        documents: Texts,
        passages: Passages | Iterable[Passages] | Splitter,
        **options: Unpack[EmbedPassagesOptions],
    ) -> PassageEmbeddings | list[PassageEmbeddings]:
        """Embed passages of a document, each in the context of all of it: late chunking.

        The model reads the document, and a passage's vector is the mean of its tokens: a vector of the kind that
        `embed` gives, to be compared with those of questions. A document that is longer than the model takes is read
        in windows that overlap; each passage comes from one of them, whole.

        Args:
            documents: one document, or several.
            passages: of a document: (start, end) pairs in code points, or strings that stand in it in this order, or a
                function that splits it into either; what that gives that is white space is left out. For a list of
                documents, one sequence of passages for each, or one function for all.
            **options: see `EmbedPassagesOptions`: overlap, normalize, dtype, prompt_name, without_prompt, priority,
                progress, model, timeout.

        Returns:
            One PassageEmbeddings per document, with float32 vectors [K, H]; for one str, that alone.

        Raises:
            InvalidArgumentError: a passage is not in its document, has no token, or has more than the model takes; or
                the model's vectors of texts are not the mean of their tokens.
            PolysemeError: the call failed.
        """
        embedded, single = self._transport.run(plan_embed_passages(self._defaults, documents, passages, options))
        return embedded[0] if single else embedded

    def similarity(
        self, a: Operands, b: Operands | None = None, **options: Unpack[SimilarityOptions]
    ) -> npt.NDArray[np.float32]:
        """Compare every text of a with every text of b, at the server, in one call.

        Args:
            a: one text, or several; a Mention is a part of a text.
            b: the same; None: compare a with itself.
            **options: see `SimilarityOptions`: metric, layers, combine, subtokens, offset_unit, priority, truncate,
                prompt_name, without_prompt, add_special_tokens, model, timeout.

        Returns:
            [N, M] float32; [M] where a is a single str or Mention, [N] where b is, [] where both are.

        Raises:
            InvalidArgumentError: one call cannot hold so many texts: embed() them and compare with numpy.
        """
        return self._transport.run(plan_similarity(self._defaults, a, b, options))

    def similarity_pairwise(
        self, a: Operands, b: Operands, **options: Unpack[SimilarityOptions]
    ) -> npt.NDArray[np.float32]:
        """Compare text i of a with text i of b, at the server, in one call: [N] float32.

        Raises:
            InvalidArgumentError: a and b differ in length, or one call cannot hold so many texts.
        """
        return self._transport.run(plan_similarity_pairwise(self._defaults, a, b, options))

    def top_k(self, queries: Operands, texts: Operands, k: int, **options: Unpack[SimilarityOptions]) -> TopK:
        """Find for each query the k closest of the texts, the closest first, in one call.

        Returns:
            `(scores, indices)`: [N, k] float32 and int64, [k] for one query; indices into texts.

        Raises:
            InvalidArgumentError: k is not 1 to the number of texts, or one call cannot hold so many texts.
        """
        return self._transport.run(plan_top_k(self._defaults, queries, texts, k, options))

    def word_similarity(self, a: WordInText, b: WordInText, **options: Unpack[SimilarityOptions]) -> float:
        """Compare a word of one text with a word of another, both in their context, at the server.

        Args:
            a: a Mention, or (text, word) where word is a str that occurs once, a Word, or (start, end).
            b: the same.
            **options: see `SimilarityOptions`: metric, layers, combine, subtokens, offset_unit, priority, truncate,
                prompt_name, without_prompt, add_special_tokens, model, timeout.

        Returns:
            The cosine, or the measure that metric names.

        Raises:
            InvalidArgumentError: a text lacks its word, or has it more than once.
        """
        return self._transport.run(plan_word_similarity(self._defaults, a, b, options))

    @overload
    def classify(  # type: ignore[overload-overlap]  # a str is an Iterable[str], and comes first
        self, texts: str | tuple[str, str], **options: Unpack[PredictionOptions]
    ) -> Classification: ...
    @overload
    def classify(
        self, texts: Iterable[str] | Iterable[tuple[str, str]], **options: Unpack[PredictionOptions]
    ) -> list[Classification]: ...
    def classify(
        self, texts: TextsOrPairs, **options: Unpack[PredictionOptions]
    ) -> Classification | list[Classification]:
        """Classify texts, or pairs of texts.

        Args:
            texts: one text or (text, text), or several: all texts, or all pairs.
            **options: see `PredictionOptions`: head, long_texts, overlap, priority, model, timeout.

        Returns:
            One Classification for each; for one str or pair, that alone.

        Raises:
            FailedPreconditionError: the model has no head that classifies.
        """
        classified, single = self._transport.run(plan_classify(self._defaults, texts, options))
        return classified[0] if single else classified

    @overload
    def entities(  # type: ignore[overload-overlap]  # a str is an Iterable[str], and comes first
        self, texts: str, *, aggregation: Aggregation = ..., **options: Unpack[SpanOptions]
    ) -> TaggedText: ...
    @overload
    def entities(
        self, texts: Iterable[str], *, aggregation: Aggregation = ..., **options: Unpack[SpanOptions]
    ) -> list[TaggedText]: ...
    def entities(
        self, texts: Texts, *, aggregation: Aggregation = "simple", **options: Unpack[SpanOptions]
    ) -> TaggedText | list[TaggedText]:
        """Find entities in texts.

        Args:
            texts: one text, or several.
            aggregation: how labels of tokens become entities, as transformers' pipeline names it.
            **options: see `SpanOptions`: offset_unit, head, long_texts, overlap, priority, model, timeout.

        Returns:
            One TaggedText per text; for one str, that alone.

        Raises:
            FailedPreconditionError: the model has no head that labels tokens.
        """
        tagged, single = self._transport.run(plan_entities(self._defaults, texts, aggregation, options))
        return tagged[0] if single else tagged

    @overload
    def answer(  # type: ignore[overload-overlap]  # a str is an Iterable[str], and comes first
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
    def answer(
        self,
        question: Iterable[str],
        context: Iterable[str],
        *,
        top_k: int = ...,
        max_answer_tokens: int = ...,
        may_have_none: bool = ...,
        **options: Unpack[SpanOptions],
    ) -> list[Answered]: ...
    def answer(
        self,
        question: Texts,
        context: Texts,
        *,
        top_k: int = 1,
        max_answer_tokens: int = 15,
        may_have_none: bool = False,
        **options: Unpack[SpanOptions],
    ) -> Answered | list[Answered]:
        """Answer questions by spans of contexts.

        Args:
            question: one question, or several.
            context: the text in which its answer stands, or one for each question.
            top_k: how many answers to each question.
            max_answer_tokens: tokens that an answer has at most.
            may_have_none: whether answers that score less than there being none are left out.
            **options: see `SpanOptions`: offset_unit, head, long_texts, overlap, priority, model, timeout.

        Returns:
            One Answered per question; for one str, that alone.

        Raises:
            FailedPreconditionError: the model has no head that answers questions.
        """
        plan = plan_answer(
            self._defaults,
            question,
            context,
            top_k=top_k,
            max_answer_tokens=max_answer_tokens,
            may_have_none=may_have_none,
            options=options,
        )
        answers, single = self._transport.run(plan)
        return answers[0] if single else answers

    def rerank(
        self, query: str, texts: Iterable[str], *, top_k: int | None = None, **options: Unpack[PredictionOptions]
    ) -> list[Ranked]:
        """Put texts in the order of how well they fit a query, the best first, in one call.

        Args:
            query: not empty.
            texts: at least one.
            top_k: how many to give; default: all.
            **options: see `PredictionOptions`: head, long_texts, overlap, priority, model, timeout.

        Raises:
            FailedPreconditionError: the model has no head of one label that classifies.
            InvalidArgumentError: one call cannot hold so many texts.
        """
        return self._transport.run(plan_rerank(self._defaults, query, texts, top_k, options))

    @overload
    def tokenize(  # type: ignore[overload-overlap]  # a str is a Sequence[str], and comes first
        self, texts: str, *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> TokenizedText: ...
    @overload
    def tokenize(
        self, texts: Iterable[str], *, offset_unit: OffsetUnit = ..., **options: Unpack[TextOptions]
    ) -> list[TokenizedText]: ...
    def tokenize(
        self, texts: Texts, *, offset_unit: OffsetUnit = "code_point", **options: Unpack[TextOptions]
    ) -> TokenizedText | list[TokenizedText]:
        """Give the tokens that the model would see, without running it.

        Unlike in embed(), `truncate="none"` gives all tokens of a long text.

        Args:
            texts: one text, or several.
            offset_unit: unit of the offsets; "code_point" fits Python's str.
            **options: see `TextOptions`: truncate, prompt_name, without_prompt, add_special_tokens, model, timeout.

        Returns:
            One TokenizedText per text; for one str, that alone.
        """
        plan = plan_tokenize(self._defaults, texts, offset_unit, options)
        tokenized, single = self._transport.run(plan)
        return tokenized[0] if single else tokenized

    def models(self, *, timeout: float | None = None) -> list[Model]:
        """List the server's models, the default one first."""
        return self._transport.run(plan_models(self._defaults, timeout=timeout))

    def model(self, name: str | None = None, *, timeout: float | None = None) -> Model:
        """Describe one model; default: the client's, else the server's default model.

        Raises:
            NotFoundError: the server has no such model.
        """
        return self._transport.run(plan_model(self._defaults, name, timeout=timeout))

    def health(self, service: str = "", *, timeout: float | None = None) -> HealthStatus:
        """Ask the server's health service once, over a connection of its own, without retries.

        Args:
            service: "": whether the server is alive; "polyseme.v1.EmbeddingService": whether it takes calls.
            timeout: seconds; default: the client's.

        Raises:
            NotFoundError: the server knows no such service.
            UnavailableError: no server listens.
        """
        self._transport.check_open()
        return self._run_apart(plan_health(self._defaults, service, timeout=timeout))

    def wait_until_ready(self, timeout: float = READY_TIMEOUT_S) -> None:
        """Wait until the server takes calls: until it listens, and its models are loaded.

        Args:
            timeout: seconds; math.inf: no limit.

        Raises:
            DeadlineExceededError: it was not ready in time; the message says what it was last found to be.
        """
        self._transport.check_open()
        self._run_apart(plan_wait_until_ready(self._defaults, timeout, time.monotonic))

    def _run_apart(self, plan: Plan[_T]) -> _T:
        """Run a plan over a channel of its own, which neither retries nor heeds health."""
        with closing(SyncTransport(self._connection, health_channel_options(self._connection.options))) as transport:
            return transport.run(plan)
