import pytest

from polyseme.cli.arguments.offsets import code_point_of

TEXT = "né \U0001f642 שלום x"
ENCODINGS = {"code_point": "utf-32-le", "utf8_byte": "utf-8", "utf16_code_unit": "utf-16-le"}
BYTES = {"code_point": 4, "utf8_byte": 1, "utf16_code_unit": 2}


@pytest.mark.parametrize("unit", ENCODINGS)
def test_offsets_in_each_unit_are_of_the_same_characters(unit):
    offsets = [len(TEXT[:index].encode(ENCODINGS[unit])) // BYTES[unit] for index in range(len(TEXT) + 1)]
    assert [code_point_of(TEXT, offset, unit) for offset in offsets] == list(range(len(TEXT) + 1))


def test_an_offset_within_a_character_is_where_it_begins():
    assert code_point_of("né", 2, "utf8_byte") == 1
    assert code_point_of("\U0001f642", 1, "utf16_code_unit") == 0
