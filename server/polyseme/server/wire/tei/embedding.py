"""tei.v1.Embed: vectors of a text, and of its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.runtime.tasks import FloatArray
from polyseme.runtime.text.tokenizer import TokenizedText
from polyseme.server.errors import FieldPath
from polyseme.server.inference.parts.embedding import token_embedding
from polyseme.server.inference.queries import EmbedTexts, EmbedTokens, LayerQuery
from polyseme.server.inference.texts import TextEmbedding
from polyseme.server.inference.validation import check_reply_bytes
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.ordered import OrderedStream
from polyseme.server.wire.calls.service import Method, StreamMethod
from polyseme.server.wire.messages.field_names import fields_named
from polyseme.server.wire.messages.packed_floats import packed_floats
from polyseme.server.wire.tei.replies import metadata
from polyseme.server.wire.tei.requests import text_options

_NAMES: Final[Mapping[FieldPath, FieldPath]] = {
    ("texts", 0): ("inputs",),
    ("text_options", "prompt_name"): ("prompt_name",),
}
_FLOATS: Final = pb.TokenEmbedding.EMBEDDINGS_FIELD_NUMBER
_TOKEN_BYTES: Final = 16  # of a message's own fields, around those of one vector
_COPIES: Final = 4  # of a reply while it is made; as `inference.execution` has it


class EmbedService:
    """Answers calls for vectors, each of one text."""

    descriptor = pb.DESCRIPTOR.services_by_name["Embed"]

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    @property
    def methods(self) -> Mapping[str, Method]:
        """The unary methods, by the name that the contract gives them."""
        return {"Embed": self.embed, "EmbedAll": self.embed_all}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streams of them."""
        embed = OrderedStream(method=self.embed, executions=self._executions, reply_bytes=_vector_bytes)
        embed_all = OrderedStream(method=self.embed_all, executions=self._executions, reply_bytes=_token_vector_bytes)
        return {"EmbedStream": embed.answer, "EmbedAllStream": embed_all.answer}

    async def embed(self, request: pb.EmbedRequest, call: Call) -> pb.EmbedResponse:
        """Answer Embed: one vector, of length 1 unless the caller says otherwise."""
        execution = self._executions.of(call)
        query = EmbedTexts(
            texts=[request.inputs],
            options=text_options(request),
            normalize=request.normalize if request.HasField("normalize") else True,
            dimensions=request.dimensions if request.HasField("dimensions") else None,
        )
        with fields_named(_NAMES):
            embedding = TextEmbedding(query, execution)
            size = embedding.shape[1] * 4
            check_reply_bytes(size, execution.limits)
            execution.reserve(size)
            embedded = await embedding.run()
        reply = pb.EmbedResponse(metadata=metadata(call, query.texts, len(embedded.texts[0].ids)))
        reply.MergeFromString(packed_floats(pb.EmbedResponse.EMBEDDINGS_FIELD_NUMBER, embedded.vectors[0]))
        return reply

    async def embed_all(self, request: pb.EmbedAllRequest, call: Call) -> pb.EmbedAllResponse:
        """Answer EmbedAll: a vector of the last layer for every token, special tokens included."""
        execution = self._executions.of(call)
        query = EmbedTokens(
            texts=[request.inputs], options=text_options(request), layers=LayerQuery(), include_special_tokens=True
        )
        with fields_named(_NAMES):
            (reply,) = await token_embedding(query, _TokenWriter(), execution).run("Embed gives one vector")
        reply.metadata.CopyFrom(metadata(call, query.texts, len(reply.token_embeddings)))
        return reply


class _TokenWriter:
    """Makes EmbedAllResponse; see `inference.parts.embedding.TokenWriter`."""

    def begin(self, _text: str, _tokens: TokenizedText, _keep: Sequence[int]) -> pb.EmbedAllResponse:
        """Begin the reply to a text."""
        return pb.EmbedAllResponse()

    def size(self, _reply: pb.EmbedAllResponse, vectors: int, width: int) -> int:
        """Count the bytes of the reply."""
        return vectors * (width * 4 + _TOKEN_BYTES)

    def fill(self, reply: pb.EmbedAllResponse, vectors: FloatArray) -> None:
        """Put vectors [1, T, H] into the reply."""
        for vector in vectors.reshape(-1, vectors.shape[-1]):
            reply.token_embeddings.add().MergeFromString(packed_floats(_FLOATS, vector))


def _vector_bytes(_request: pb.EmbedRequest, models: Models) -> int:
    return models.default.spec.embedding.dimensions * 4 * _COPIES


def _token_vector_bytes(_request: pb.EmbedAllRequest, models: Models) -> int:
    spec = models.default.spec
    return spec.max_tokens * (spec.encoder.hidden_size * 4 + _TOKEN_BYTES) * _COPIES
