"""A tiny model with three heads that find entities, and room for 64 tokens."""

from dataclasses import replace

import numpy as np
from tests.export.checkpoints import change_weights
from tests.export.encoders.architectures.test_heads import FP32, checkpoint

from polyseme.export import export_model

HEADS = ("token_classification", "swapped", "silent")


def export_tagger(folder):
    """Export the golden tagger, with one more head that takes persons for places, and one that finds nothing."""
    source, *others = (checkpoint("bert-token_classification", folder / name) for name in HEADS)
    for other, change in zip(others, (swap, silence), strict=True):
        change_weights(other, change)
    more = {name: str(other) for name, other in zip(HEADS[1:], others, strict=True)}
    export_model(str(source), folder / "tagger", replace(FP32, name="tagger", max_tokens=64, more_heads=more))
    return folder / "tagger"


def swap(weights):
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name][[0, 3, 4, 1, 2]].copy()  # O, B-PER, I-PER, B-LOC, I-LOC


def silence(weights):
    weights["classifier.bias"] = np.array([1000, 0, 0, 0, 0], np.float32)
