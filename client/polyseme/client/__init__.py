"""The Python SDK: texts in, numpy arrays out, over gRPC.

>>> from polyseme.client import Client
>>> with Client("localhost:50051") as client:  # doctest: +SKIP
...     vectors = client.embed(["We sat on the bank.", "I robbed the bank."])
"""

from polyseme.client._async_client import AsyncClient
from polyseme.client._client import Client
from polyseme.client._health import HealthStatus
from polyseme.client._texts import Texts
from polyseme.client.errors import (
    CancelledError,
    ClosedClientError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    InvalidReplyError,
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
from polyseme.client.models import Limits, Model, ModelIdentity
from polyseme.client.options import (
    CallOptions,
    Dtype,
    EmbedOptions,
    FloatDtype,
    Metric,
    OffsetUnit,
    Priority,
    SimilarityOptions,
    TextOptions,
    Truncate,
)
from polyseme.client.results import EmbedResult, TextInfo, Timings, TokenizedText, Tokens, TopK
from polyseme.client.tensor import decode_tensor

__all__ = [
    "AsyncClient",
    "CallOptions",
    "CancelledError",
    "Client",
    "ClosedClientError",
    "DeadlineExceededError",
    "Dtype",
    "EmbedOptions",
    "EmbedResult",
    "FloatDtype",
    "HealthStatus",
    "InternalError",
    "InvalidArgumentError",
    "InvalidReplyError",
    "Limits",
    "MessageTooLargeError",
    "Metric",
    "MissingDependencyError",
    "Model",
    "ModelChangedError",
    "ModelIdentity",
    "NotFoundError",
    "OffsetUnit",
    "PermissionDeniedError",
    "PolysemeError",
    "Priority",
    "ResourceExhaustedError",
    "SimilarityOptions",
    "TextInfo",
    "TextOptions",
    "Texts",
    "Timings",
    "TokenizedText",
    "Tokens",
    "TopK",
    "Truncate",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "decode_tensor",
]
