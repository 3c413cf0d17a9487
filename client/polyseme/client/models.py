"""The models of a server, as it describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyseme.client._convert.enums import enum_name
from polyseme.v1 import common_pb2, model_service_pb2, tensor_pb2
from polyseme.v1 import embedding_service_pb2 as service_pb2


def model_ref(model: str) -> common_pb2.ModelRef:
    """Build the ModelRef for NAME, NAME@VERSION, or the empty string: the server's default model."""
    name, _, version = str.partition(model, "@")  # a TypeError where it is no string, as protobuf would have it
    return common_pb2.ModelRef(name=name, version=version)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """The model that answered, and the device and precision it ran in.

    Attributes:
        name: the model's name.
        version: 12 hexadecimal digits that change with any byte of the model.
        precision: element type of the weights, "float32" or "float16".
        execution_provider: onnxruntime's name, for example "CPUExecutionProvider".
    """

    name: str
    version: str
    precision: str
    execution_provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one call to the server; the SDK splits lists of texts accordingly.

    Attributes:
        max_texts: texts in one call.
        max_text_bytes: bytes of UTF-8 in one text.
        max_message_bytes: bytes of one message, in either direction.
        max_spans: spans and words of one text.
    """

    max_texts: int
    max_text_bytes: int
    max_message_bytes: int
    max_spans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A head of a model, which predicts.

    Attributes:
        name: as `head=` takes it.
        kind: "classification", "token_classification" or "question_answering".
        labels: in the order of scores; none for answers.
        score_function: "softmax", "sigmoid" or "identity".
        groups: of a head that labels tokens, the kinds of entities.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    score_function: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of a server.

    Attributes:
        identity: name, version, precision and execution provider.
        is_default: whether calls that name no model go to it.
        architecture: as config.json has it, for example "bert".
        hidden_size: width of token vectors, H.
        num_hidden_layers: encoder layers, L.
        num_attention_heads: heads per layer.
        vocab_size: entries of the vocabulary.
        dimensions: length of a text's vector, D.
        max_tokens: tokens of one text, special tokens included.
        pooling: "cls", "mean", "max", "mean_sqrt_len" or "last_token".
        normalizes: whether embed() scales to length 1 unless told otherwise.
        prompts: prompts by name.
        default_prompt_name: the prompt used where a call names none, or None.
        limits: of one call.
        source: where the weights came from.
        artifact_sha256: of the artifact's manifest, 64 hexadecimal digits.
        weight_bytes: bytes of the weights in the server's memory.
        similarity: the metric that the model's authors mean for vectors of texts: "cosine", "dot", "euclidean" or
            "manhattan"; None: the server is older than the SDK, and does not say.
        features: options that servers before this one would neglect, as `text_options.without_prompt`.
        heads: those that predict.
    """

    identity: ModelIdentity
    is_default: bool
    architecture: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    vocab_size: int
    dimensions: int
    max_tokens: int
    pooling: str
    normalizes: bool
    prompts: Mapping[str, str]
    default_prompt_name: str | None
    limits: Limits
    source: str
    artifact_sha256: str
    weight_bytes: int
    similarity: str | None = None
    features: tuple[str, ...] = ()
    heads: tuple[Head, ...] = ()

    @property
    def name(self) -> str:
        """The model's name, as `model=` takes it."""
        return self.identity.name


def identity_from(message: common_pb2.ModelIdentity) -> ModelIdentity:
    """Convert a model's identity from the wire."""
    return ModelIdentity(
        name=message.name,
        version=message.version,
        precision=enum_name(tensor_pb2.DataType, "DATA_TYPE_", message.precision),
        execution_provider=message.execution_provider,
    )


def limits_from(message: model_service_pb2.Limits) -> Limits:
    """Convert limits from the wire."""
    return Limits(
        max_texts=message.max_texts,
        max_text_bytes=message.max_text_bytes,
        max_message_bytes=message.max_message_bytes,
        max_spans=message.max_spans,
    )


def model_from(message: model_service_pb2.Model) -> Model:
    """Convert a model from the wire."""
    return Model(
        identity=identity_from(message.identity),
        is_default=message.is_default,
        architecture=message.architecture,
        hidden_size=message.hidden_size,
        num_hidden_layers=message.num_hidden_layers,
        num_attention_heads=message.num_attention_heads,
        vocab_size=message.vocab_size,
        dimensions=message.dimensions,
        max_tokens=message.max_tokens,
        pooling=enum_name(model_service_pb2.Pooling, "POOLING_", message.pooling),
        normalizes=message.normalizes,
        prompts=dict(message.prompts),
        default_prompt_name=message.default_prompt_name or None,
        limits=limits_from(message.limits),
        source=message.source,
        artifact_sha256=message.artifact_sha256,
        weight_bytes=message.weight_bytes,
        similarity=enum_name(service_pb2.Metric, "METRIC_", message.similarity) if message.similarity else None,
        features=tuple(message.features),
        heads=tuple(head_from(head) for head in message.heads),
    )


def head_from(message: model_service_pb2.Head) -> Head:
    """Convert a head from the wire."""
    return Head(
        name=message.name,
        kind=enum_name(model_service_pb2.HeadKind, "HEAD_KIND_", message.kind),
        labels=tuple(message.labels),
        score_function=enum_name(model_service_pb2.ScoreFunction, "SCORE_FUNCTION_", message.score_function),
        groups=tuple(message.groups),
    )
