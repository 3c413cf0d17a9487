"""The entries of a manifest: one class for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from polyseme.artifact.errors import InvalidManifestError
from polyseme.artifact.graphs import Layout
from polyseme.artifact.heads import EMBEDDING, EmbeddingHead
from polyseme.artifact.prediction_heads import AnyHead, PredictionHead


class Precision(Enum):
    """The element type of weights and arithmetic."""

    FP32 = "fp32"
    FP16 = "fp16"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The little-endian numpy type of a weight."""
        return np.dtype("<f4" if self is Precision.FP32 else "<f2")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """The encoder: from token ids to a vector per token.

    Attributes:
        architecture: `model_type` of the source's config.json.
        hidden_size: H, width of a token's vector.
        num_hidden_layers: L.
        max_position_embeddings: most tokens that have a position each.
        padding_idx: the id whose tokens have row 0 of the position table, while the others of a text count from 1;
            None: the position of a token is its place, or the graph finds it.
        token_types: 2 where the tokens of a second text are told from those of the first: their rows of the position
            table are `max_position_embeddings` further on.
    """

    architecture: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    hidden_act: str
    layer_norm_eps: float
    pad_token_id: int
    padding_idx: int | None = None
    token_types: int = 1

    @property
    def positions_are_given(self) -> bool:
        """Tell whether padded graphs are given each token's row of the position table; else it is the token's place."""
        return self.padding_idx is not None or self.token_types > 1

    def as_json(self) -> dict[str, Any]:
        """Write the entry of the manifest; what few encoders have is there only where they have it."""
        fields = asdict(self)
        if self.padding_idx is None:
            del fields["padding_idx"]
        if self.token_types == 1:
            del fields["token_types"]
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The model: an encoder, the heads on it, limits, prompts.

    Attributes:
        encoder: from token ids to a vector per token.
        heads: the heads on these vectors, by name; `embedding` is always there.
        max_tokens: most tokens of a text, special tokens included.
        prompts: text to put before each input, by name.
        default_prompt_name: the prompt used where a request names none; empty: none.
    """

    encoder: EncoderSpec
    heads: Mapping[str, AnyHead]
    max_tokens: int
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str = ""

    @property
    def embedding(self) -> EmbeddingHead:
        """The head that makes the vector of a text.

        Raises:
            InvalidManifestError: the head of this name is of another kind.
        """
        head = self.heads[EMBEDDING]
        if not isinstance(head, EmbeddingHead):
            raise InvalidManifestError(f"manifest field model.heads.{EMBEDDING} is of another kind")
        return head

    @property
    def predictions(self) -> dict[str, PredictionHead]:
        """The heads that predict, by name."""
        return {name: head for name, head in self.heads.items() if isinstance(head, PredictionHead)}

    def as_json(self) -> dict[str, Any]:
        """Write the entry of the manifest."""
        return {
            "encoder": self.encoder.as_json(),
            "heads": {name: head.as_json() for name, head in self.heads.items()},
            "max_tokens": self.max_tokens,
            "prompts": dict(self.prompts),
            "default_prompt_name": self.default_prompt_name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightEntry:
    """The place of one initializer in a weight file: row-major, little-endian, at `offset` bytes."""

    name: str
    shape: tuple[int, ...]
    offset: int

    def view(self, weights: npt.NDArray[np.uint8], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Give the tensor, in its shape, as a view into the bytes of its file.

        Args:
            weights: [bytes] uint8, the whole file.
            dtype: the element type of the tensor.
        """
        size = int(np.prod(self.shape, dtype=np.int64)) * dtype.itemsize
        return weights[self.offset : self.offset + size].view(dtype).reshape(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSet:
    """The graphs of one layout.

    Attributes:
        graphs: file name by the graph's name; those of `Variant` are there.
        tensors: the initializers of these graphs, and the place of each in the weight file.
    """

    graphs: Mapping[str, str]
    tensors: tuple[WeightEntry, ...]

    def as_json(self) -> dict[str, Any]:
        """Write the entry of the manifest."""
        return {
            "graphs": {str(graph): name for graph, name in self.graphs.items()},
            "tensors": [{"name": t.name, "shape": list(t.shape), "offset": t.offset} for t in self.tensors],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionEntry(GraphSet):
    """The files of one precision; its own graphs and tensors are those of padded texts.

    Attributes:
        weights: the one file that all graphs of this precision share.
        packed: the graphs of packed texts, where the model has them.
        fp32_blocks: blocks of layers that are computed in fp32, for which fp16 is too narrow.
        standard: the padded `embed` graph in ONNX's own operators alone, for TensorRT; empty where there is none.
    """

    weights: str
    packed: GraphSet | None = None
    fp32_blocks: tuple[str, ...] = ()
    standard: str = ""

    def of(self, layout: Layout) -> GraphSet:
        """Give the graphs of a layout.

        Raises:
            InvalidManifestError: the artifact has none.
        """
        if layout is Layout.PADDED:
            return self
        if self.packed is None:
            raise InvalidManifestError("the artifact has no packed graphs")
        return self.packed

    def as_json(self) -> dict[str, Any]:
        """Write the entry of the manifest."""
        packed = {} if self.packed is None else {"packed": self.packed.as_json()}
        fp32_blocks = {"fp32_blocks": list(self.fp32_blocks)} if self.fp32_blocks else {}
        standard = {"standard": self.standard} if self.standard else {}
        return {**GraphSet.as_json(self), "weights": self.weights, **packed, **fp32_blocks, **standard}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source of an artifact: the SOURCE given to export, and the SHA-256 of its weights."""

    spec: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeEntry:
    """Texts by which any device can be judged, and the file of their reference vectors.

    Attributes:
        texts: N texts as token ids, T tokens in all.
        file: float32, little-endian: [L + 1, T, H], every state of every token, then [N, D], of length 1.
    """

    texts: tuple[tuple[int, ...], ...]
    file: str

    def as_json(self) -> dict[str, Any]:
        """Write the entry of the manifest."""
        return {"texts": [{"ids": list(ids)} for ids in self.texts], "file": self.file}
