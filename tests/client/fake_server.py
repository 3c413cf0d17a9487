"""A double of the server on a real socket: vectors follow from the texts, faults and limits are the test's choice."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tests.client.fake_context import NoSuchWordError, chunks, span_entry, token_entry
from tests.client.trailers import bad_request, status_details

from polyseme.v1 import common_pb2, embedding_service_pb2, model_service_pb2, tensor_pb2
from polyseme.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer, add_EmbeddingServiceServicer_to_server
from polyseme.v1.model_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server

DIMENSIONS = 12
MANY = [f"text {number}" for number in range(1024)]  # four calls of 256


def vector_of(text: str) -> np.ndarray:
    """[12] float32 of length 1 that only this text has; bfloat16 holds it without loss."""
    digest = hashlib.sha256(text.encode()).digest()[:DIMENSIONS]
    vector = np.frombuffer(digest, np.uint8).astype(np.float32) - 127.5
    rounded = (vector / np.linalg.norm(vector)).astype(np.float32).view(np.uint32) & 0xFFFF0000
    return rounded.view(np.float32)


def vectors_of(texts: Sequence[str]) -> np.ndarray:
    """[B, 12] float32."""
    return np.stack([vector_of(text) for text in texts])


def tensor_of(array: np.ndarray, dtype: int = tensor_pb2.DATA_TYPE_FLOAT32) -> tensor_pb2.Tensor:
    """Encode as the contract says; a second implementation, apart from the server's."""
    scales = b""
    if dtype == tensor_pb2.DATA_TYPE_FLOAT16:
        data = array.astype("<f2").tobytes()
    elif dtype == tensor_pb2.DATA_TYPE_BFLOAT16:
        data = (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    elif dtype == tensor_pb2.DATA_TYPE_INT8:
        steps = np.abs(array).max(axis=-1, keepdims=True) / 127
        data = np.round(array / np.where(steps == 0, 1, steps)).astype(np.int8).tobytes()
        scales = steps.astype("<f4").tobytes()
    elif dtype == tensor_pb2.DATA_TYPE_BINARY:
        data = np.packbits(array > 0, axis=-1, bitorder="big").tobytes()
    else:
        dtype, data = tensor_pb2.DATA_TYPE_FLOAT32, array.astype("<f4").tobytes()
    return tensor_pb2.Tensor(dtype=dtype, shape=array.shape, data=data, scales=scales)  # type: ignore[arg-type]


@dataclass
class Faults:
    """What the server does wrong, or waits for, and what it was asked."""

    failures: list[tuple[grpc.StatusCode, str]] = field(default_factory=list)  # of the next Embed calls, in order
    trailers: tuple[tuple[str, Any], ...] = ()
    names_fields: bool = True  # as google.rpc.BadRequest; servers of before said so in the message alone
    mutate: Callable[[Any], Any] = lambda reply: reply
    before_embed: Callable[[embedding_service_pb2.EmbedRequest, grpc.ServicerContext], None] | None = None
    chunk_rows: int = 0  # vectors in a chunk of a stream's reply; 0: all
    on_message: Callable[[int, Any, grpc.ServicerContext], Any] | None = (
        None  # may give a StreamError or "end", or abort
    )
    mutate_chunk: Callable[[Any], Any] = lambda chunk: chunk
    hidden_size: int = 0
    version: str = ""  # of the model, as it is told; "": as it answers
    described: dict[str, Any] = field(default_factory=dict)  # fields of the model that are told otherwise
    similarity: int = embedding_service_pb2.METRIC_COSINE  # as it is told; 0: by an older server, not at all
    features: list[str] = field(default_factory=lambda: ["text_options.without_prompt"])
    limits: dict[str, int] = field(
        default_factory=lambda: {"max_texts": 512, "max_text_bytes": 1 << 18, "max_message_bytes": 1 << 24}
    )
    limits_said: dict[str, int] = field(default_factory=dict)  # by GetModel; empty: those that hold
    calls: Counter[str] = field(default_factory=Counter)
    requests: list[Any] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)  # of streams
    metadata: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, name: str, request: Any, context: grpc.ServicerContext) -> None:
        with self.lock:
            self.calls[name] += 1
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            failure = self.failures.pop(0) if self.failures and name != "GetModel" else None
        if failure is not None:
            context.set_trailing_metadata(self.trailers)
            context.abort(*failure)

    def refuse(self, field: str, problem: str, context: grpc.ServicerContext) -> NoReturn:
        if self.names_fields:
            context.set_trailing_metadata(status_details(bad_request(field)))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{field}{problem}")

    def stream_error(self, field: str, problem: str) -> embedding_service_pb2.StreamError:
        named = field if self.names_fields else ""
        return embedding_service_pb2.StreamError(code=3, message=f"{field}{problem}", field=named)

    def check_texts(self, texts: list[str], context: grpc.ServicerContext, field: str = "texts") -> None:
        limit = self.limits["max_texts"]
        if not 1 <= len(texts) <= limit:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"got {len(texts)} texts; limit {limit} (max_texts)")
        for index, text in enumerate(texts):
            if len(text.encode()) > self.limits["max_text_bytes"]:
                self.refuse(f"{field}[{index}]", " is too long", context)


def identity(version: str = "0123456789ab") -> common_pb2.ModelIdentity:
    return common_pb2.ModelIdentity(
        name="tiny", version=version, precision=tensor_pb2.DATA_TYPE_FLOAT32, execution_provider="CPUExecutionProvider"
    )


def infos(texts: list[str]) -> list[common_pb2.TextInfo]:
    """Tokens are characters, at most 16 of them are kept."""
    return [
        common_pb2.TextInfo(tokens=min(len(text), 16), original_tokens=len(text), truncated=len(text) > 16)
        for text in texts
    ]


class Embedding(EmbeddingServiceServicer):
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def Embed(self, request, context):
        self._faults.enter("Embed", request, context)
        self._faults.check_texts(list(request.texts), context)
        if self._faults.before_embed is not None:
            self._faults.before_embed(request, context)
        width = request.dimensions if request.HasField("dimensions") else DIMENSIONS
        vectors = np.stack([vector_of(text) for text in request.texts])[:, :width]
        reply = embedding_service_pb2.EmbedResponse(
            embeddings=tensor_of(vectors, request.dtype),
            texts=infos(list(request.texts)),
            timings=common_pb2.Timings(queue_us=1, tokenize_us=2, run_us=3, total_us=2_000_000),
            model=identity(),
        )
        return self._faults.mutate(reply)

    def Similarity(self, request, context):
        self._faults.enter("Similarity", request, context)
        a, b = [entry.text for entry in request.a], [entry.text for entry in request.b or request.a]
        self._faults.check_texts(a, context, "a")
        self._faults.check_texts(b, context, "b")
        left, right = np.stack(list(map(vector_of, a))), np.stack(list(map(vector_of, b)))
        scores = left @ right.T
        if request.metric == embedding_service_pb2.METRIC_EUCLIDEAN:
            scores = np.linalg.norm(left[:, None] - right[None], axis=-1)
        indices: list[int] = []
        if request.mode == embedding_service_pb2.SIMILARITY_MODE_PAIRWISE:
            scores = scores.diagonal()
        if request.mode == embedding_service_pb2.SIMILARITY_MODE_TOP_K:
            order = np.argsort(-scores, axis=1, kind="stable")[:, : request.top_k]
            scores, indices = np.take_along_axis(scores, order, 1), order.ravel().tolist()
        reply = embedding_service_pb2.SimilarityResponse(scores=tensor_of(scores), indices=indices, model=identity())
        return self._faults.mutate(reply)

    def EmbedTokens(self, request, context):
        self._faults.enter("EmbedTokens", request, context)
        self._faults.check_texts(list(request.texts), context)
        return self._faults.mutate(self._tokens(request))

    def EmbedSpans(self, request, context):
        self._faults.enter("EmbedSpans", request, context)
        try:
            return self._faults.mutate(self._spans(request))
        except NoSuchWordError as error:
            self._faults.refuse(str(error), ": not found", context)

    def StreamEmbed(self, request_iterator, context):
        """Answer in order, in chunks; ends when the caller has no more."""
        self._faults.enter("StreamEmbed", None, context)
        answer = {"embed": self._embed, "tokens": self._tokens, "spans": self._spans}
        for sequence, message in enumerate(request_iterator):
            with self._faults.lock:
                self._faults.messages.append(message)
            refused = self._faults.on_message and self._faults.on_message(sequence, message, context)
            if refused == "end":
                return
            if refused:
                yield embedding_service_pb2.StreamEmbedResponse(sequence=sequence, last_chunk=True, error=refused)
                continue
            kind = message.WhichOneof("request")
            try:
                reply = answer[kind](getattr(message, kind))
            except NoSuchWordError as error:
                refused = self._faults.stream_error(str(error), ": not found")
                yield embedding_service_pb2.StreamEmbedResponse(sequence=sequence, last_chunk=True, error=refused)
                continue
            for chunk in chunks(reply, kind, self._faults.chunk_rows):
                chunk.sequence = sequence
                yield self._faults.mutate_chunk(chunk)

    def _embed(self, request):
        vectors = np.stack([vector_of(text) for text in request.texts])
        embeddings, texts = tensor_of(vectors, request.dtype), infos(list(request.texts))
        return embedding_service_pb2.EmbedResponse(embeddings=embeddings, texts=texts, model=identity())

    def _tokens(self, request):
        entries = [token_entry(text, request) for text in request.texts]
        return embedding_service_pb2.EmbedTokensResponse(texts=entries, model=identity())

    def _spans(self, request):
        entries = [span_entry(index, request) for index in range(len(request.inputs))]
        return embedding_service_pb2.EmbedSpansResponse(texts=entries, model=identity())

    def Tokenize(self, request, context):
        self._faults.enter("Tokenize", request, context)
        self._faults.check_texts(list(request.texts), context)
        reply = embedding_service_pb2.TokenizeResponse(model=identity())
        for text, info in zip(request.texts, infos(list(request.texts)), strict=True):
            tokens = common_pb2.Tokens(
                ids=[101, *map(ord, text)],
                texts=["[CLS]", *text],
                starts=[0, *range(len(text))],
                ends=[0, *range(1, len(text) + 1)],
                word_ids=[-1, *range(len(text))],
                special=[True, *(False for _ in text)],
            )
            reply.texts.add(tokens=tokens, info=info)
        return self._faults.mutate(reply)


class Models(ModelServiceServicer):
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def _model(self) -> model_service_pb2.Model:
        model = model_service_pb2.Model(
            identity=identity(self._faults.version) if self._faults.version else identity(),
            is_default=True,
            architecture="bert",
            dimensions=DIMENSIONS,
            hidden_size=self._faults.hidden_size,
            pooling=model_service_pb2.POOLING_MEAN,
            prompts={"query": "query: "},
            similarity=self._faults.similarity,  # type: ignore[arg-type]
            features=self._faults.features,
            limits=model_service_pb2.Limits(**(self._faults.limits_said or self._faults.limits)),
        )
        model.MergeFrom(model_service_pb2.Model(**self._faults.described))
        return model

    def GetModel(self, request, context):
        self._faults.enter("GetModel", request, context)
        if request.model.name not in ("", "tiny"):
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model.name}; held: tiny")
        return model_service_pb2.GetModelResponse(model=self._model())

    def ListModels(self, request, context):
        self._faults.enter("ListModels", request, context)
        return model_service_pb2.ListModelsResponse(models=[self._model()])


@dataclass
class FakeServer:
    target: str
    faults: Faults
    health: health.HealthServicer
    server: grpc.Server

    def kill(self) -> None:
        """Break every connection at once."""
        self.server.stop(0).wait()

    def set_health(self, service: str, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        self.health.set(service, status.SERVING if serving else status.NOT_SERVING)


@contextmanager
def fake_server(address: str = "127.0.0.1:0", faults: Faults | None = None) -> Iterator[FakeServer]:
    """Serve on a free port of the loopback interface, or as a successor at an address."""
    faults, health_servicer = faults or Faults(), health.HealthServicer()
    with ThreadPoolExecutor(max_workers=16) as pool:
        server = grpc.server(pool, options=[("grpc.max_receive_message_length", 1 << 24)])
        add_EmbeddingServiceServicer_to_server(Embedding(faults), server)
        add_ModelServiceServicer_to_server(Models(faults), server)
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
        port = server.add_insecure_port(address)
        fake = FakeServer(f"127.0.0.1:{port}", faults, health_servicer, server)
        for service in ("", "polyseme.v1.EmbeddingService"):
            fake.set_health(service, serving=True)
        server.start()
        try:
            yield fake
        finally:
            server.stop(0).wait()
