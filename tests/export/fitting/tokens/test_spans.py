import pytest

from polyseme.export.fitting.texts import FitError
from polyseme.export.fitting.tokens import spans as limits
from polyseme.export.fitting.tokens.spans import LabelledSpan, spanned
from polyseme.runtime.text.offsets import OffsetUnit

TEXT = "Ann met Bo"
ANN, BO = {"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 10, "label": "PER"}


def rows(*more, count=10):
    """So many sound rows, and one for each of more, on lines from 1 on."""
    each = [(f"{TEXT} {n}", [ANN, BO]) for n in range(count)] + [
        given if isinstance(given, tuple) else (TEXT, given) for given in more
    ]
    return [text for text, _ in each], [spans for _, spans in each], [f"line {n}" for n in range(1, len(each) + 1)]


def checked(*more, count=10, unit=OffsetUnit.CODE_POINT):
    return spanned(*rows(*more, count=count), unit)


def refusal(*more, **options):
    with pytest.raises(FitError) as refused:
        checked(*more, **options)
    assert "secret" not in str(refused.value)
    return str(refused.value)


def test_spans_are_in_order_and_a_text_may_have_none():
    found = checked([BO, ANN], [])
    assert found.labels == ("PER",)
    assert found.spans[10] == (LabelledSpan(0, 3, "PER"), LabelledSpan(8, 10, "PER"))
    assert found.spans[11] == ()


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ([ANN, {"start": 2, "end": 5, "label": "LOC"}], "have spans that overlap"),
        ([ANN, ANN], "have spans that overlap"),
        ([{"start": 8, "end": 11, "label": "PER"}], "have a span that lies outside of its text"),
        ([{"start": -1, "end": 3, "label": "PER"}], "have a span that lies outside of its text"),
        ([{"start": 3, "end": 3, "label": "PER"}], "have a span that ends before it begins, or where it begins"),
        ([{"start": 3, "end": 4, "label": "PER"}], "have a span of white space alone"),
        ([{"start": 0, "end": 3}], "have a span without a label"),
        ([{"start": 0, "end": 3, "label": " "}], "have a span without a label"),
        ([{"start": 0, "end": 3, "label": None}], "have a span without a label"),
        ([{"start": 0, "end": 3, "label": "O"}], "have a span with the label O"),
        (
            [{"start": 0, "end": 3, "label": "secret\x1b[31m"}],
            "have a label that is not one line of 1 to 254 characters",
        ),
        ([{"start": 0, "end": 3, "label": "a" * 255}], "have a label that is not one line of 1 to 254 characters"),
        ([{"start": 0.0, "end": 3, "label": "PER"}], "have a span whose start or end is no whole number"),
        ([{"start": True, "end": 3, "label": "PER"}], "have a span whose start or end is no whole number"),
        ([{"end": 3, "label": "PER"}], "have a span whose start or end is no whole number"),
        ("PER", "have spans that are no list of objects"),
        (None, "have spans that are no list of objects"),
        ([[0, 3, "PER"]], "have spans that are no list of objects"),
        ((" \t", []), "have no text"),
    ],
)
def test_faults_are_named_by_line(spans, said):
    told = refusal(spans, [], spans)
    assert told.startswith(f"2 rows {said}")
    assert told.endswith(": line 11, line 13")


def test_faults_of_several_kinds_are_told_one_at_a_time():
    assert refusal([ANN, ANN], "PER", None) == "1 rows have spans that overlap: line 11; 2 rows have other faults"


def test_no_more_than_five_lines_are_named():
    assert refusal(*[None] * 7).endswith("line 11, line 12, line 13, line 14, line 15, ...")


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [(OffsetUnit.CODE_POINT, 5, 8), (OffsetUnit.UTF8_BYTE, 9, 12), (OffsetUnit.UTF16_CODE_UNIT, 6, 9)],
)
def test_offsets_are_in_the_unit_that_is_said(unit, start, end):
    found = checked(("né🙂, Ann", [{"start": start, "end": end, "label": "PER"}]), unit=unit)
    assert found.spans[10] == (LabelledSpan(5, 8, "PER"),)


@pytest.mark.parametrize("unit", [OffsetUnit.UTF8_BYTE, OffsetUnit.UTF16_CODE_UNIT])
def test_an_offset_inside_of_a_character_is_named_by_line(unit):
    told = refusal(("🙂 Ann", [{"start": 1, "end": 4, "label": "PER"}]), unit=unit)
    assert told == "1 rows have a span that begins or ends inside of a character: line 11"


def test_white_space_at_the_ends_of_a_span_is_left_out():
    assert checked(("to  Oslo ", [{"start": 2, "end": 9, "label": "PER"}])).spans[10] == (LabelledSpan(4, 8, "PER"),)


def test_too_few_and_too_many_are_refused_with_the_number():
    rare = {"start": 0, "end": 3, "label": "LOC"}
    assert refusal(*[(f"Ann {n}", [rare]) for n in range(9)]) == "1 of 2 labels have fewer than 10 spans: 'LOC' 9"
    crowded = ("Ann " * 10, [{"start": 4 * n, "end": 4 * n + 3, "label": "LOC"} for n in range(10)])
    assert refusal(crowded) == "1 of 2 labels are in fewer than 5 different texts: 'LOC' 1"
    assert refusal(*[crowded] * 5) == "1 of 2 labels are in fewer than 5 different texts: 'LOC' 1"
    assert refusal([], count=0) == "0 labels of spans; limits 1..200"
    many = [[{"start": 0, "end": 3, "label": f"l{n}"}] for n in range(200)]
    assert refusal(*many) == "201 labels of spans; limits 1..200"


def test_every_limit_can_be_met():
    assert len(checked(count=limits.LEAST_TEXTS)) == 5


def test_a_million_rows_are_refused_with_the_number():
    with pytest.raises(FitError, match="1000000 rows; limit 200000"):
        spanned(["a"] * 1_000_000, [[]] * 1_000_000, ["c"] * 1_000_000, OffsetUnit.CODE_POINT)
