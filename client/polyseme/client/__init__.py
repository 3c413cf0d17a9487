"""The Python SDK: texts in, numpy arrays out, over gRPC.

>>> from polyseme.client import Client
>>> with Client("localhost:50051") as client:  # doctest: +SKIP
...     vectors = client.embed(["We sat on the bank.", "I robbed the bank."])
"""

import os

# Before grpc is imported: its own log has lines, in a form of its own, for what the SDK's errors say.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from polyseme.client._arguments.pairs import TextsOrPairs
from polyseme.client._arguments.passages import Passages, Splitter
from polyseme.client._arguments.texts import Texts
from polyseme.client._async_client import AsyncClient
from polyseme.client._client import Client
from polyseme.client._convert.health import HealthStatus
from polyseme.client.errors import (
    CancelledError,
    ClosedClientError,
    DeadlineExceededError,
    EventLoopError,
    FailedPreconditionError,
    ForkedProcessError,
    InternalError,
    InvalidArgumentError,
    InvalidReplyError,
    LocalServerError,
    MessageTooLargeError,
    MissingDependencyError,
    ModelChangedError,
    NotFoundError,
    PermissionDeniedError,
    PolysemeError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from polyseme.client.models import Head, Limits, Model, ModelIdentity
from polyseme.client.options import (
    Aggregation,
    CallOptions,
    Combine,
    Dtype,
    EmbedOptions,
    EmbedPassagesOptions,
    EmbedStreamOptions,
    FloatDtype,
    Layers,
    LongTexts,
    Metric,
    OffsetUnit,
    OnError,
    PredictionOptions,
    Priority,
    SimilarityOptions,
    SpanOptions,
    Subtokens,
    TextOptions,
    TokenOptions,
    Truncate,
)
from polyseme.client.predictions import Answer, Answered, Classification, Entity, InputInfo, Ranked, TaggedText
from polyseme.client.results import (
    EmbedResult,
    Passage,
    PassageEmbeddings,
    TextInfo,
    Timings,
    TokenEmbeddings,
    TokenizedText,
    Tokens,
    TopK,
    WordEmbeddings,
)
from polyseme.client.tensor import decode_tensor
from polyseme.client.words import Mention, Operands, Word, WordInText

__all__ = [
    "Aggregation",
    "Answer",
    "Answered",
    "AsyncClient",
    "CallOptions",
    "CancelledError",
    "Classification",
    "Client",
    "ClosedClientError",
    "Combine",
    "DeadlineExceededError",
    "Dtype",
    "EmbedOptions",
    "EmbedPassagesOptions",
    "EmbedResult",
    "EmbedStreamOptions",
    "Entity",
    "EventLoopError",
    "FailedPreconditionError",
    "FloatDtype",
    "ForkedProcessError",
    "Head",
    "HealthStatus",
    "InputInfo",
    "InternalError",
    "InvalidArgumentError",
    "InvalidReplyError",
    "Layers",
    "Limits",
    "LocalServerError",
    "LongTexts",
    "Mention",
    "MessageTooLargeError",
    "Metric",
    "MissingDependencyError",
    "Model",
    "ModelChangedError",
    "ModelIdentity",
    "NotFoundError",
    "OffsetUnit",
    "OnError",
    "Operands",
    "Passage",
    "PassageEmbeddings",
    "Passages",
    "PermissionDeniedError",
    "PolysemeError",
    "PredictionOptions",
    "Priority",
    "Ranked",
    "ResourceExhaustedError",
    "SimilarityOptions",
    "SpanOptions",
    "Splitter",
    "Subtokens",
    "TaggedText",
    "TextInfo",
    "TextOptions",
    "Texts",
    "TextsOrPairs",
    "Timings",
    "TokenEmbeddings",
    "TokenOptions",
    "TokenizedText",
    "Tokens",
    "TopK",
    "Truncate",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "Word",
    "WordEmbeddings",
    "WordInText",
    "decode_tensor",
]
