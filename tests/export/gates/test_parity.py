import numpy as np
import pytest

from polyseme.artifact import Precision
from polyseme.export import GateError
from polyseme.export.gates.parity import TOLERANCES, Deviation

WANT = np.array([[3.0, 4.0], [0.6, 0.8]])


def test_the_same_is_no_deviation():
    deviation = Deviation()
    deviation.see_layer(0, WANT, WANT)
    deviation.see_last_four(WANT, WANT)
    deviation.see_pooled(WANT, WANT)
    assert (
        deviation.token_l2,
        deviation.token_abs,
        deviation.last_four_abs,
        deviation.pooled_abs,
    ) == (0.0, 0.0, 0.0, 0.0)
    for precision, tolerance in TOLERANCES.items():
        deviation.refuse_beyond(tolerance, precision.value)


def test_the_worst_token_of_the_worst_layer_counts():
    deviation = Deviation()
    deviation.see_layer(0, WANT + np.array([[0, 0], [1e-3, 0]]), WANT)
    deviation.see_layer(1, WANT, WANT)
    assert pytest.approx(deviation.token_l2) == 1e-3
    assert [pytest.approx(1e-3), 0.0] == list(deviation.layer_l2.values())


def test_the_mean_over_a_text_is_measured_by_its_tokens():
    deviation = Deviation()
    opposite = np.array([[3.0, 4.0], [-3.0, -4.0]])  # their mean has no length of its own
    deviation.see_spans(np.array([[0.05, 0], [3.0, 4.0]]), [opposite, WANT[:1]])
    assert pytest.approx(deviation.span_l2) == 0.01


def test_differences_are_in_units_of_a_large_layer_only():
    small, large = Deviation(), Deviation()
    small.see_layer(0, np.full((1, 4), 0.1) + 1e-5, np.full((1, 4), 0.1))
    large.see_layer(0, np.full((1, 4), 10.0) + 1e-5, np.full((1, 4), 10.0))
    assert pytest.approx(small.token_abs) == 1e-5
    assert pytest.approx(large.token_abs) == 1e-6


BEYOND = {"token_l2": 1.1e-5, "token_abs": 3.1e-5, "last_four_abs": 5.1e-5, "span_l2": 1.1e-5, "pooled_abs": 1.1e-6,
          "token_cosine": 0.9999, "pooled_cosine": 0.9999}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BEYOND.items())
def test_each_limit_holds(name, value):
    with pytest.raises(GateError, match=f"fp32 is not equal to the reference: {name} is {value:g}; limit "):
        Deviation(**{name: value}).refuse_beyond(TOLERANCES[Precision.FP32], "fp32")


@pytest.mark.parametrize("first", [True, False])
def test_nan_is_beyond_every_limit_whatever_else_was_seen(first):
    deviation = Deviation()
    seen = [np.full_like(WANT, np.nan), WANT]
    for got in seen if first else reversed(seen):
        deviation.see_layer(0, got, WANT)
    with pytest.raises(GateError, match="token_l2 is nan"):
        deviation.refuse_beyond(TOLERANCES[Precision.FP16], "fp16")


def test_the_report_has_a_number_per_layer():
    deviation = Deviation()
    deviation.see_layer(0, WANT, WANT)
    deviation.see_layer(1, WANT * 1.25, WANT)
    assert deviation.as_json()["layer_l2"] == {"0": 0.0, "1": 0.25}
