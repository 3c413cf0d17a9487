"""The server's answers become reply messages of the contract: one function per message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from polyseme.artifact import HeadKind, PredictionHead
from polyseme.runtime.heads.entities import groups
from polyseme.runtime.tasks import FloatArray
from polyseme.runtime.text.offsets import OffsetTable, OffsetUnit
from polyseme.runtime.text.tokenizer import TokenIds, TokenizedText
from polyseme.server.inference.parts.spans import LocatedSpan
from polyseme.server.inference.similarity import Metric
from polyseme.server.inference.stopwatch import Stopwatch
from polyseme.server.inference.validation import Limits
from polyseme.server.models.served import ServedModel
from polyseme.server.wire.messages.tensors import WireType, encode, encoded_bytes
from polyseme.server.wire.v1 import enums
from polyseme.v1 import common_pb2, model_service_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as pb

TextReply: TypeAlias = pb.TokenEmbeddings | pb.SpanEmbeddings

FEATURES: Final = ("text_options.without_prompt",)
"""Fields that came into the contract after its first version, and that a server before them would neglect."""
_TEXT_BYTES: Final = 64  # bytes of a message's own fields, around those of one text


class _Writer:
    """The part that the writers of tokens and of spans share."""

    def __init__(self, dtype: WireType, unit: OffsetUnit) -> None:
        self._dtype = dtype
        self._unit = unit

    def size(self, reply: TextReply, vectors: int, width: int) -> int:
        """Count the bytes of the reply to a text with its vectors.

        Args:
            reply: as `begin` made it.
            vectors: number of vectors.
            width: elements of a vector.
        """
        return reply.ByteSize() + _TEXT_BYTES + encoded_bytes(vectors, width, self._dtype)

    def fill(self, reply: TextReply, vectors: FloatArray) -> None:
        """Put the vectors [..., D] into the reply to a text."""
        fill_tensor(reply.vectors, vectors, self._dtype)


class TokenWriter(_Writer):
    """Makes TokenEmbeddings; see `inference.parts.TokenWriter`."""

    def begin(self, text: str, tokenized: TokenizedText, keep: Sequence[int]) -> pb.TokenEmbeddings:
        """Begin the reply to a text: the tokens to keep, and how the text was tokenized."""
        return pb.TokenEmbeddings(tokens=tokens(text, tokenized, self._unit, keep), info=text_info(tokenized))


class SpanWriter(_Writer):
    """Makes SpanEmbeddings; see `inference.parts.SpanWriter`."""

    def begin(self, text: str, tokenized: TokenizedText, spans: Sequence[LocatedSpan]) -> pb.SpanEmbeddings:
        """Begin the reply to a text: its spans, and how the text was tokenized."""
        return pb.SpanEmbeddings(spans=embedded_spans(text, spans, self._unit), info=text_info(tokenized))


def embedded_spans(text: str, located: Sequence[LocatedSpan], unit: OffsetUnit) -> list[pb.EmbeddedSpan]:
    """Describe the spans that were found in a text, with offsets in the unit asked for."""
    offset = OffsetTable(text, unit).from_code_points
    return [
        pb.EmbeddedSpan(
            span=common_pb2.Span(start=offset(one.start), end=offset(one.end)),
            text=text[one.start : one.end],
            tokens=one.tokens,
            query=one.query,
            occurrence=one.occurrence,
            truncated=one.truncated,
        )
        for one in located
    ]


def tensor(vectors: FloatArray, dtype: WireType = WireType.FLOAT32) -> tensor_pb2.Tensor:
    """Make a Tensor of vectors [..., D]."""
    message = tensor_pb2.Tensor()
    fill_tensor(message, vectors, dtype)
    return message


def fill_tensor(message: tensor_pb2.Tensor, vectors: FloatArray, dtype: WireType) -> None:
    """Put vectors [..., D] into a Tensor that is part of a message."""
    message.dtype = enums.DATA_TYPE[dtype]
    message.shape[:] = vectors.shape
    message.data, message.scales = encode(vectors, dtype)


def text_infos(encoded: Sequence[TokenIds]) -> list[common_pb2.TextInfo]:
    """Say of each text how it was tokenized."""
    return [text_info(text) for text in encoded]


def text_info(text: TokenIds) -> common_pb2.TextInfo:
    """Say of one text how many tokens the model sees, how many it has, and whether it was truncated."""
    return common_pb2.TextInfo(tokens=len(text.ids), original_tokens=text.original_tokens, truncated=text.truncated)


def timings(watch: Stopwatch, total_s: float) -> common_pb2.Timings:
    """Say where the time of a call went.

    Args:
        watch: the stopwatch of the call.
        total_s: seconds since the request arrived.
    """
    return common_pb2.Timings(
        tokenize_us=round(watch.tokenize_s * 1e6),
        queue_us=round(watch.queue_s * 1e6),
        run_us=round(watch.run_s * 1e6),
        total_us=round(total_s * 1e6),
    )


def tokens(
    text: str, tokenized: TokenizedText, unit: OffsetUnit, keep: Sequence[int] | None = None
) -> common_pb2.Tokens:
    """Describe tokens of a text, with offsets in the unit asked for.

    Args:
        text: the text.
        tokenized: its tokens.
        unit: the unit of offsets.
        keep: indices of the tokens to describe; None: all of them.
    """
    offset = OffsetTable(text, unit).from_code_points
    ids = tokenized.ids.tolist()
    kept = range(len(ids)) if keep is None else keep
    return common_pb2.Tokens(
        ids=[ids[i] for i in kept],
        texts=[tokenized.tokens[i] for i in kept],
        starts=[offset(tokenized.offsets[i][0]) for i in kept],
        ends=[offset(tokenized.offsets[i][1]) for i in kept],
        word_ids=[tokenized.word_ids[i] for i in kept],
        special=[tokenized.special[i] for i in kept],
    )


def identity(model: ServedModel) -> common_pb2.ModelIdentity:
    """Name the model that answers."""
    return common_pb2.ModelIdentity(
        name=model.manifest.name,
        version=model.version,
        precision=enums.PRECISION[model.engine.info.precision],
        execution_provider=model.engine.info.execution_provider,
    )


def model(served: ServedModel, limits: Limits, *, is_default: bool) -> model_service_pb2.Model:
    """Describe a model and what it accepts."""
    spec, manifest = served.spec, served.manifest
    return model_service_pb2.Model(
        identity=identity(served),
        is_default=is_default,
        architecture=spec.encoder.architecture,
        hidden_size=spec.encoder.hidden_size,
        num_hidden_layers=spec.encoder.num_hidden_layers,
        num_attention_heads=spec.encoder.num_attention_heads,
        vocab_size=spec.encoder.vocab_size,
        dimensions=spec.embedding.dimensions,
        max_tokens=spec.max_tokens,
        pooling=enums.POOLING[spec.embedding.pooling],
        normalizes=spec.embedding.normalizes,
        prompts=spec.prompts,
        default_prompt_name=spec.default_prompt_name,
        limits=model_service_pb2.Limits(
            max_texts=limits.max_texts,
            max_text_bytes=limits.max_text_bytes,
            max_message_bytes=limits.max_reply_bytes,
            max_spans=limits.max_spans,
        ),
        source=manifest.source.spec,
        artifact_sha256=manifest.sha256,
        weight_bytes=manifest.files[manifest.precisions[served.engine.info.precision].weights].size,
        similarity=enums.METRIC_NUMBER[Metric(spec.embedding.similarity)],
        features=FEATURES,
        heads=[_head(name, head) for name, head in spec.predictions.items()],
    )


def _head(name: str, head: PredictionHead) -> model_service_pb2.Head:
    labels_tokens = head.kind is HeadKind.TOKEN_CLASSIFICATION
    return model_service_pb2.Head(
        name=name,
        kind=enums.HEAD_KIND[head.kind],
        labels=head.labels,
        score_function=enums.SCORE_FUNCTION[head.scores],
        groups=groups(head.labels) if labels_tokens else (),
    )
