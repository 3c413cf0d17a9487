"""The float64 reference against BERT as its paper tells it, number by number, and with nothing shared."""

import math
from operator import mul

import numpy as np
import pytest
from tests.conftest import write_tiny_checkpoint
from tests.export.checkpoints import read_weights

from polyseme.export.encoders.architectures import bert
from polyseme.export.reading.checkpoint import Checkpoint

TEXTS = [[2, 7, 8, 40, 3], [2, 3], [2]]
HIDDEN, HEADS, LAYERS = 8, 2, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small enough for loops, and with an epsilon that shows."""
    sizes = {"hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS}
    folder = tmp_path_factory.mktemp("loops") / "tiny"
    return write_tiny_checkpoint(folder, **sizes, intermediate_size=12, layer_norm_eps=1e-3)


def dot(a, b):
    return math.fsum(map(mul, a, b))


class Slow:
    """Lists of Python floats: no numpy between a weight and a result."""

    def __init__(self, weights):
        self.weights = {name: values.tolist() for name, values in weights.items()}

    def dense(self, x, name):
        matrix, bias = self.weights[name + ".weight"], self.weights[name + ".bias"]
        return [dot(row, x) + b for row, b in zip(matrix, bias, strict=True)]

    def norm(self, x, name):
        mean = math.fsum(x) / len(x)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in x) / len(x) + 1e-3)
        scale, shift = self.weights[name + ".weight"], self.weights[name + ".bias"]
        return [(value - mean) / deviation * s + b for value, s, b in zip(x, scale, shift, strict=True)]

    def embed(self, position, token):
        tables = {"word": token, "position": position, "token_type": 0}
        rows = [self.weights[f"embeddings.{table}_embeddings.weight"][row] for table, row in tables.items()]
        return self.norm([math.fsum(column) for column in zip(*rows, strict=True)], "embeddings.LayerNorm")

    def attend(self, xs, at):
        q, k, v = ([self.dense(x, f"{at}attention.self.{part}") for x in xs] for part in ("query", "key", "value"))
        width = HIDDEN // HEADS
        contexts = [[] for _ in xs]
        for head in range(HEADS):
            part = slice(head * width, (head + 1) * width)
            for query, context in zip(q, contexts, strict=True):
                scores = [math.exp(dot(query[part], key[part]) / math.sqrt(width)) for key in k]
                for column in range(width):
                    values = [value[part][column] for value in v]
                    context.append(dot(scores, values) / math.fsum(scores))
        return contexts

    def layer(self, xs, at):
        result = []
        for x, context in zip(xs, self.attend(xs, at), strict=True):
            attended = self.dense(context, at + "attention.output.dense")
            y = self.norm([a + b for a, b in zip(attended, x, strict=True)], at + "attention.output.LayerNorm")
            inner = [z * 0.5 * (1 + math.erf(z / math.sqrt(2))) for z in self.dense(y, at + "intermediate.dense")]
            outer = self.dense(inner, at + "output.dense")
            result.append(self.norm([a + b for a, b in zip(outer, y, strict=True)], at + "output.LayerNorm"))
        return result

    def hidden_states(self, ids):
        states = [[self.embed(position, token) for position, token in enumerate(ids)]]
        for number in range(LAYERS):
            states.append(self.layer(states[-1], f"encoder.layer.{number}."))
        return states


def test_reference_is_bert_by_plain_loops(folder):
    checkpoint = Checkpoint(folder)
    layers = list(bert.reference(checkpoint, bert.read_config(checkpoint))(TEXTS))
    assert len(layers) == LAYERS + 1
    slow = Slow(read_weights(folder))
    for number, ids in enumerate(TEXTS):
        expected = slow.hidden_states(ids)
        for layer, states in enumerate(layers):
            assert states[number].dtype == np.float64
            # A few dozen roundings of float64, each 1e-16 of values up to 4.
            np.testing.assert_allclose(states[number], expected[layer], rtol=0, atol=1e-13)


def test_reference_of_a_text_does_not_depend_on_the_others(folder):
    checkpoint = Checkpoint(folder)
    reference = bert.reference(checkpoint, bert.read_config(checkpoint))
    together = list(reference(TEXTS))
    for number, ids in enumerate(TEXTS):
        for layer, states in enumerate(reference([ids])):
            np.testing.assert_allclose(together[layer][number], states[0], rtol=0, atol=1e-13)
