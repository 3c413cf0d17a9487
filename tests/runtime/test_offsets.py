import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyseme.runtime.offsets import OffsetTable, OffsetUnit

text = st.text(st.characters(exclude_categories=["Cs"]))


@given(text)
@pytest.mark.parametrize(
    ("unit", "size"),
    [
        (OffsetUnit.CODE_POINT, len),
        (OffsetUnit.UTF8_BYTE, lambda s: len(s.encode())),
        (OffsetUnit.UTF16_CODE_UNIT, lambda s: len(s.encode("utf-16-le")) // 2),
    ],
)
def test_from_code_points_equals_the_size_of_the_prefix(unit, size, text):
    table = OffsetTable(text, unit)
    assert [size(text[:i]) for i in range(len(text) + 1)] == [table.from_code_points(i) for i in range(len(text) + 1)]
