import numpy as np
import pytest
from tests.cli.samples import senses

from polyseme.cli.senses.picture.heatmaps import luminance, panels, shown_layers


@pytest.mark.parametrize("states", [4, 8, 9, 14, 26, 50])
@pytest.mark.parametrize("asked", [None, 0, 1, 3])
def test_static_the_first_the_last_and_the_one_asked_for_are_drawn(states, asked):
    drawn = shown_layers(states, 8, asked)
    assert len(drawn) == min(states, 8)
    assert {0, 1, states - 1} <= set(drawn)
    assert asked is None or asked in drawn
    assert drawn == sorted(set(drawn))


def test_the_sum_has_a_panel_of_its_own():
    row = panels(senses(3, chosen=(4, 5, 6, 7)))
    assert [panel.name for panel in row][::7] == ["static", "sum of last 4"]
    assert [panel.asked for panel in row] == [False] * 7 + [True]


def test_the_layer_asked_for_is_marked():
    assert [panel.name for panel in panels(senses(3, chosen=(3,))) if panel.asked] == ["layer 2"]


def test_colours_get_lighter_evenly():
    """What grey-scale print and the colour-blind see: more cosine is always lighter."""
    steps = np.diff([luminance(share) for share in np.linspace(0, 1, 50)])
    assert (steps > 0).all()
