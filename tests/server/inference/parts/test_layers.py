import pytest

from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.parts.layers import MAX_LAYERS, Combine, layer_mix

L = 2  # states: static, embedding layer, layer 1, layer 2


def mix(*layers, static=False, combine=Combine.NONE):
    return layer_mix(layers, static=static, combine=combine, num_hidden_layers=L)


@pytest.mark.parametrize(
    ("layers", "static", "states"),
    [((), False, [3]), ((), True, [0]), ((0, -1, 1), False, [1, 3, 2]), ((-3,), True, [0, 1]), ((2, 2), False, [3, 3])],
)
def test_layer_mix_has_a_row_for_each_layer(layers, static, states):
    assert [row.index(1.0) for row in mix(*layers, static=static).weights] == states


def test_layer_mix_joins_layers_into_one_row():
    assert mix(0, 2, combine=Combine.SUM).weights == ((0.0, 1.0, 0.0, 1.0),)
    assert mix(0, 2, combine=Combine.MEAN).weights == ((0.0, 0.5, 0.0, 0.5),)
    assert mix(0, 2, combine=Combine.CONCAT).concatenated
    assert len(mix(0, 2, combine=Combine.CONCAT).weights) == 2


@pytest.mark.parametrize("layer", [3, -4])
def test_layer_mix_refuses_a_layer_that_the_model_has_not(layer):
    with pytest.raises(InvalidInputError) as error:
        mix(0, layer)
    assert str(error.value) == f"layers.layers[1]: got {layer}; limits -3..2"


def test_layer_mix_refuses_too_many_layers():
    with pytest.raises(InvalidInputError, match=f"layers.layers has 65 entries; limit {MAX_LAYERS}"):
        mix(*[0] * 65)
