import argparse

import pytest

from polyseme.cli.arguments.layers import layers


@pytest.mark.parametrize(("text", "expected"), [("-1", -1), ("static", "static"), ("static, 0,-1", ["static", 0, -1])])
def test_layers(text, expected):
    assert layers(text) == expected


@pytest.mark.parametrize("text", ["", "x", "1,", "1.5"])
def test_what_is_no_layer_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="a layer is a number or static"):
        layers(text)
