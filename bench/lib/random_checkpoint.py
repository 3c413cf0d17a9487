"""Checkpoints of any size with seeded random weights, for benches and tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt


def random_bert(config: Mapping[str, int], seed: int = 7, scale: float = 0.2) -> dict[str, npt.NDArray[np.float32]]:
    """Weights of a BertModel by the names that checkpoints give them.

    Args:
        config: sizes, as in config.json.
        seed: of the generator.
        scale: standard deviation of matrices and their biases.
    """
    rng = np.random.default_rng(seed)
    h, i = config["hidden_size"], config["intermediate_size"]
    weights: dict[str, npt.NDArray[np.float32]] = {}

    def table(name: str, *shape: int) -> None:
        weights[name] = rng.normal(0, scale, shape).astype(np.float32)

    def norm(name: str) -> None:
        weights[name + ".weight"] = rng.normal(1, 0.1, h).astype(np.float32)
        weights[name + ".bias"] = rng.normal(0, 0.1, h).astype(np.float32)

    table("embeddings.word_embeddings.weight", config["vocab_size"], h)
    table("embeddings.position_embeddings.weight", config["max_position_embeddings"], h)
    table("embeddings.token_type_embeddings.weight", config["type_vocab_size"], h)
    norm("embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{number}."
        shapes = {"attention.self.query": (h, h), "attention.self.key": (h, h), "attention.self.value": (h, h)}
        shapes |= {"attention.output.dense": (h, h), "intermediate.dense": (i, h), "output.dense": (h, i)}
        for name, shape in shapes.items():
            table(at + name + ".weight", *shape)
            table(at + name + ".bias", shape[0])
        norm(at + "attention.output.LayerNorm")
        norm(at + "output.LayerNorm")
    return weights


def random_mpnet(config: Mapping[str, int], seed: int = 7, scale: float = 0.2) -> dict[str, npt.NDArray[np.float32]]:
    """Weights of an MPNetModel: BERT's by its names, and a bias by distance. Arguments as in `random_bert`."""
    weights = random_bert({**config, "type_vocab_size": 1}, seed, scale)
    del weights["embeddings.token_type_embeddings.weight"]
    names = {"self.query": "attn.q", "self.key": "attn.k", "self.value": "attn.v", "output.dense": "attn.o"}
    names = {f"attention.{old}.": f"attention.{new}." for old, new in names.items()}
    names["attention.output.LayerNorm."] = "attention.LayerNorm."
    for old, new in names.items():
        weights = {name.replace(old, new): values for name, values in weights.items()}
    bias = np.random.default_rng(seed).normal(0, 1, (32, config["num_attention_heads"]))
    return {**weights, "encoder.relative_attention_bias.weight": bias.astype(np.float32)}
