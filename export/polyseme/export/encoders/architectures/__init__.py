"""One mapping per architecture: from a checkpoint's own names to an `Encoder`. Unknown ones are refused."""

from __future__ import annotations

from typing import Final, Protocol

from polyseme.export.encoders.architectures import bert, distilbert, modernbert, mpnet, roberta
from polyseme.export.encoders.encoder import Encoder, EncoderConfig
from polyseme.export.encoders.pre_norm import PreNormEncoder
from polyseme.export.encoders.reference import HiddenStates
from polyseme.export.errors import UnsupportedError
from polyseme.export.reading.checkpoint import Checkpoint

__all__ = ["Architecture", "find"]


class Architecture(Protocol):
    """The functions of a mapping's module.

    Raises:
        UnsupportedError: an activation or a variant that the graph would not compute.
        CheckpointError: a size is missing or makes no sense; a weight is missing, misshapen or left over.
    """

    def read_config(self, checkpoint: Checkpoint) -> EncoderConfig:
        """Check config.json, and read the sizes."""

    def left_out(self, checkpoint: Checkpoint) -> tuple[str, ...]:
        """Name the weights that have no part in the encoder: heads over it, some of which are exported (`heads.py`)."""

    def read_encoder(self, checkpoint: Checkpoint, config: EncoderConfig) -> Encoder | PreNormEncoder:
        """Map the weights."""

    def reference(self, checkpoint: Checkpoint, config: EncoderConfig) -> HiddenStates:
        """Make the same model in float64 numpy, from the checkpoint's own names: independent of `read_encoder`."""


_ARCHITECTURES: Final[dict[str, Architecture]] = {
    "bert": bert,
    "camembert": roberta,
    "distilbert": distilbert,
    "modernbert": modernbert,
    "mpnet": mpnet,
    "roberta": roberta,
    "xlm-roberta": roberta,
}


def find(checkpoint: Checkpoint) -> Architecture:
    """Find the mapping of a checkpoint's model_type.

    Raises:
        UnsupportedError: there is none.
    """
    model_type = checkpoint.config.get("model_type")
    if not isinstance(model_type, str) or model_type not in _ARCHITECTURES:
        known = ", ".join(sorted(_ARCHITECTURES))
        raise UnsupportedError(
            f"config.json model_type {str(model_type)[:40]!r} has no native mapping; these do: {known}"
        )
    return _ARCHITECTURES[model_type]
