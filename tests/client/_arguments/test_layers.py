import pytest

from polyseme.client import InvalidArgumentError
from polyseme.client._arguments.layers import choose_layers
from polyseme.v1 import common_pb2


@pytest.mark.parametrize(
    ("layers", "numbers", "static"),
    [(3, [3], False), ("static", [], True), (["static", 0, -1], [0, -1], True), (range(2), [0, 1], False)],
)
def test_choose_layers_converts(layers, numbers, static):
    message = choose_layers(layers, "sum").message
    assert (list(message.layers), message.static_embedding) == (numbers, static)
    assert message.combine == common_pb2.COMBINE_SUM


@pytest.mark.parametrize(
    ("combine", "separate", "width_factor"), [("none", 3, 3), ("concat", 1, 3), ("sum", 1, 1), ("mean", 1, 1)]
)
def test_choose_layers_says_how_large_vectors_become(combine, separate, width_factor):
    choice = choose_layers(["static", 0, 1], combine)
    assert (choice.separate, choice.width_factor) == (separate, width_factor)


@pytest.mark.parametrize(
    ("layers", "field", "words"),
    [
        ([], "layers", "0 entries; 1 to 64"),
        (range(65), "layers", "65 entries; 1 to 64"),
        ({1, 2}, "layers", "got set"),
        (None, "layers", "got NoneType"),
        ([0, "static"], "layers[1]", "first entry alone"),
        ([0, 1.5], "layers[1]", "got float"),
        ([1 << 31], "layers[0]", "no model has that many"),
    ],
)
def test_choose_layers_refuses(layers, field, words):
    with pytest.raises(InvalidArgumentError, match=words) as error:
        choose_layers(layers, "sum")
    assert error.value.field == field
