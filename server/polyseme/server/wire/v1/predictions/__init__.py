"""polyseme.v1.PredictionService: convert, delegate, convert."""

from polyseme.server.wire.v1.predictions.service import PredictionService

__all__ = ["PredictionService"]
