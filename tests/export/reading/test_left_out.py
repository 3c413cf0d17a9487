import pytest

from polyseme.export.reading.left_out import left_out_lines


def test_nothing_is_said_where_nothing_is_left_out():
    assert list(left_out_lines({}, [])) == []


def test_weights_are_counted_by_module():
    weights = ["cls.predictions.bias", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "pooler"]
    (line,) = left_out_lines({}, weights)
    assert line == "left out, as no part of the encoder: weights of cls.predictions (3), pooler (1)"


def test_only_some_modules_are_shown():
    (line,) = left_out_lines({}, [f"m{number}.weight" for number in range(7)])
    assert line.endswith("m4 (1) and 2 more")


@pytest.mark.parametrize(
    ("code", "shown"), [({"AutoModel": "a.B", "AutoConfig": "a.A"}, "a.A, a.B"), ("x\x1b", "x\\x1b")]
)
def test_code_of_the_model_is_named_and_not_run(code, shown):
    (line,) = left_out_lines({"auto_map": code}, [])
    assert line == f"not run: code of the model's own, config.json auto_map {shown}"
