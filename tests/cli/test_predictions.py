import numpy as np
import pytest

from polyseme.cli.predictions import shortest, tokens_cell
from polyseme.client import InputInfo


@pytest.mark.parametrize(
    ("truncated", "windows", "cell"), [(False, 1, "7"), (True, 1, "7 (cut)"), (False, 3, "7 (3 windows)")]
)
def test_tokens_tell_how_a_text_was_run(truncated, windows, cell):
    assert tokens_cell(InputInfo(tokens=7, original_tokens=9, truncated=truncated, windows=windows)) == cell


def test_scores_have_the_digits_of_float32():
    assert shortest(float(np.float32(0.1))) == 0.1
