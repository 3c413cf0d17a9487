import pytest

from polyseme.client import InvalidArgumentError, Mention


@pytest.mark.parametrize(("parts", "found"), [({}, "neither"), ({"word": "a", "span": (0, 1)}, "both")])
def test_a_mention_has_one_of_word_and_span(parts, found):
    with pytest.raises(InvalidArgumentError, match=f"got {found}"):
        Mention("a", **parts)
