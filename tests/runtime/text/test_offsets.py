import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyseme.runtime.text.offsets import OffsetError, OffsetTable, OffsetUnit, Overlaps

SIZES = {
    OffsetUnit.CODE_POINT: len,
    OffsetUnit.UTF8_BYTE: lambda s: len(s.encode()),
    OffsetUnit.UTF16_CODE_UNIT: lambda s: len(s.encode("utf-16-le")) // 2,
}

text = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("aé我😀\x7f\x80\u07ff\u0800\uffff\U00010000"))
offset = st.integers(0, 12)


@given(text)
@pytest.mark.parametrize("unit", OffsetUnit)
def test_from_code_points_equals_the_size_of_the_prefix(unit, text):
    table = OffsetTable(text, unit)
    sizes = [SIZES[unit](text[:i]) for i in range(len(text) + 1)]
    assert [table.from_code_points(i) for i in range(len(text) + 1)] == sizes
    assert table.length == sizes[-1]


@given(text)
@pytest.mark.parametrize("unit", OffsetUnit)
def test_to_code_points_is_the_inverse_and_refuses_all_else(unit, text):
    table = OffsetTable(text, unit)
    points = {SIZES[unit](text[:i]): i for i in range(len(text) + 1)}
    for i in range(-1, table.length + 2):
        if i in points:
            assert table.to_code_points(i) == points[i]
        else:
            with pytest.raises(OffsetError) as refused:
                table.to_code_points(i)
            assert refused.value.inside == (0 <= i <= table.length)
            assert (refused.value.offset, refused.value.length, refused.value.unit) == (i, table.length, unit)


@pytest.mark.parametrize(
    ("text", "unit", "offset", "message"),
    [
        ("abc", OffsetUnit.CODE_POINT, 4, "4 is beyond the end; the text has 3 code points"),
        ("né", OffsetUnit.UTF8_BYTE, 4, "4 is beyond the end; the text has 3 UTF-8 bytes"),
        ("né", OffsetUnit.UTF8_BYTE, 2, "2 is inside a code point; the text has 3 UTF-8 bytes"),
        ("😀", OffsetUnit.UTF16_CODE_UNIT, 1, "1 is inside a code point; the text has 2 UTF-16 code units"),
        ("", OffsetUnit.UTF16_CODE_UNIT, 2**32 - 1, "4294967295 is beyond the end; the text has 0 UTF-16 code units"),
        ("abc", OffsetUnit.UTF8_BYTE, -1, "-1 is negative; the text has 3 UTF-8 bytes"),
    ],
)
def test_to_code_points_says_what_is_wrong(text, unit, offset, message):
    with pytest.raises(OffsetError) as refused:
        OffsetTable(text, unit).to_code_points(offset)
    assert str(refused.value) == message


@settings(max_examples=500)
@given(
    st.booleans(),
    st.lists(st.tuples(offset, offset).map(sorted), max_size=12),
    st.tuples(offset, st.integers(1, 5)),
    st.integers(0, 2),
)
def test_overlaps_are_those_of_every_token_looked_at(in_order, offsets, span, outside):
    offsets = sorted(offsets) if in_order else offsets
    offsets = [(0, 0)] * outside + [tuple(token) for token in offsets] + [(0, 0)] * outside
    start, end = span[0], sum(span)
    expected = [i for i, (first, last) in enumerate(offsets) if last and first < end and last > start]
    overlaps = Overlaps(offsets)
    assert overlaps.over(start, end) == expected
    assert overlaps.any_over(start, end) == bool(expected)
