"""Sizes drawn at random, of every family: what no case says, and some model has."""

import random

from tests.reference.cases.registry import case
from tests.reference.making.folders import base
from tests.reference.making.weights import random_weights

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "camembert", "mpnet", "modernbert")
POOLINGS = ("mean", "cls", "max", "mean_sqrt_len_tokens", "lasttoken")
_DISTILBERT = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
               "intermediate_size": "hidden_dim"}  # fmt: skip


def sizes(draw, family):
    """Fields of config.json."""
    heads = draw.choice((1, 2, 3, 4, 6))
    wide = 2 if family == "modernbert" else 1  # its elements turn in pairs
    fields = {
        "num_attention_heads": heads,
        "hidden_size": heads * wide * draw.randint(-(-8 // (heads * wide)), 9),  # of fewer a LayerNorm makes noise
        "num_hidden_layers": draw.randint(1, 3),
        "intermediate_size": draw.randint(1, 70),
    }
    if family == "distilbert":
        fields = {_DISTILBERT[name]: value for name, value in fields.items()}
    elif family == "modernbert":
        fields |= {"local_attention": draw.randint(1, 20), "global_attn_every_n_layers": draw.randint(1, 3),
                   "norm_eps": draw.choice((1e-5, 1e-3))}  # fmt: skip
    else:
        fields |= {"layer_norm_eps": draw.choice((1e-12, 1e-5, 1e-2))}
        if family != "mpnet":
            fields |= {"type_vocab_size": draw.randint(1, 3)}
    counted = family in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return fields | {"max_position_embeddings": draw.choice((8, 9, 17, 40, 48, 63, 130, 300, 512)) + 2 * counted}


for number in range(42):

    @case(f"fuzz/{number:02}", number, many=50)
    def drawn(path, number):
        """sizes, epsilon, pooling and element type, drawn at random"""
        draw = random.Random(number)
        family = FAMILIES[number % len(FAMILIES)]
        folder = base(path, family, seed=number, **sizes(draw, family))
        folder.sentence_transformer(pooling=draw.choice(POOLINGS))
        weights = random_weights(folder.read("config.json"), number, scale=0.2)
        folder.weights(weights, dtype=draw.choice(("F32", "F16", "BF16")))
