"""The parts that requests of several methods have become values of queries."""

from __future__ import annotations

from typing import Final, TypeAlias

from polyseme.artifact import ScoreFunction
from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.runtime.text.inputs import Fit
from polyseme.runtime.text.tokenizer import Truncate
from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.predictions.queries import LongTexts
from polyseme.server.inference.queries import TextOptions

TRUNCATE: Final = {
    pb.TRUNCATION_DIRECTION_RIGHT: Truncate.END,
    pb.TRUNCATION_DIRECTION_LEFT: Truncate.START,
}
_DIRECTION: Final = ("truncation_direction",)

Embedded: TypeAlias = pb.EmbedRequest | pb.EmbedAllRequest
Predicted: TypeAlias = pb.PredictRequest | pb.PredictPairRequest | pb.RerankRequest | pb.RerankStreamRequest


def text_options(message: Embedded) -> TextOptions:
    """Convert how a text is cut, and its prompt.

    Raises:
        InvalidInputError: the direction has an unknown number.
    """
    cut = _truncate(message)
    return TextOptions(truncate=cut if message.truncate else Truncate.NONE, prompt_name=message.prompt_name)


def long_texts(message: Predicted) -> LongTexts:
    """Convert how the input of a head is cut: the ends of its texts, the longer one first.

    Raises:
        InvalidInputError: starts are to be cut, which is not done here, or the direction has an unknown number.
    """
    cut = _truncate(message)
    if not message.truncate:
        return LongTexts(fit=Fit.REFUSE)
    if cut is Truncate.START:
        raise InvalidInputError(": got LEFT; what a head predicts is of texts whose ends are cut: RIGHT", _DIRECTION)
    return LongTexts(fit=Fit.LONGEST_FIRST)


def scores(message: Predicted, *, labels: int) -> ScoreFunction | None:
    """Convert how logits become scores; None: as the head does.

    Args:
        message: the request.
        labels: number of labels; the score of one alone lies between 0 and 1, whatever the head's own function.
    """
    if message.raw_scores:
        return ScoreFunction.IDENTITY
    return ScoreFunction.SIGMOID if labels == 1 else None


def _truncate(message: Embedded | Predicted) -> Truncate:
    try:
        return TRUNCATE[message.truncation_direction]
    except KeyError:
        got = message.truncation_direction
        raise InvalidInputError(f": got {got}, which the contract does not have", _DIRECTION) from None
