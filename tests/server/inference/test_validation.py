import pytest

from polyseme.server.errors import InvalidInputError
from polyseme.server.inference.validation import (
    Limits,
    check_count,
    check_dimensions,
    check_reply_bytes,
    check_texts,
    in_inputs,
    in_texts,
)

LIMITS = Limits(max_texts=2, max_text_bytes=8, max_spans=3, max_reply_bytes=100)


@pytest.mark.parametrize(("count", "words"), [(0, "texts is empty; 1 to 2 are needed"), (3, "has 3 entries; limit 2")])
def test_check_count_refuses(count, words):
    check_count(2, LIMITS)
    with pytest.raises(InvalidInputError, match=words):
        check_count(count, LIMITS)


@pytest.mark.parametrize("character", ["a", "\u00e9", "\u20ac", "\U0001f600"])
def test_check_texts_counts_bytes_of_utf8(character):
    size = len(character.encode())
    check_texts(["", character * (8 // size)], LIMITS, in_texts)
    with pytest.raises(InvalidInputError, match=r"^inputs\[1\] has \d+ bytes; limit 8$"):
        check_texts(["", character * (8 // size + 1)], LIMITS, in_inputs)


@pytest.mark.parametrize("dimensions", [0, 5])
def test_check_dimensions_refuses(dimensions):
    check_dimensions(1, 4)
    check_dimensions(4, 4)
    with pytest.raises(InvalidInputError, match=rf"^dimensions: got {dimensions}; limits 1\.\.4$"):
        check_dimensions(dimensions, 4)


def test_check_reply_bytes_gives_its_advice():
    check_reply_bytes(100, LIMITS)
    with pytest.raises(InvalidInputError, match=r"101 bytes or more; limit 100: come by stream$"):
        check_reply_bytes(101, LIMITS, "come by stream")
