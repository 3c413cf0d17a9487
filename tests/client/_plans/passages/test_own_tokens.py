import pytest

from polyseme.client import InvalidArgumentError, TextInfo, TokenizedText
from polyseme.client._plans.passages.own_tokens import OwnTokens
from polyseme.client._plans.passages.windows import Window

# [CLS] a prompt's token, then "embed|dings of | banks", [SEP]
OFFSETS = ((0, 0), (0, 0), (0, 5), (5, 10), (11, 13), (14, 18), (18, 19), (0, 0))
WORDS = (None, 0, 1, 1, 2, 3, 3, None)


@pytest.fixture
def own():
    count = len(OFFSETS)
    info = TextInfo(tokens=count, original_tokens=count, truncated=False)
    columns = {"tokens": ("t",) * count, "ids": (1,) * count, "special": (False,) * count}
    return OwnTokens(TokenizedText(offsets=OFFSETS, word_ids=WORDS, info=info, **columns))


def test_tokens_that_are_put_around_a_document_are_not_its_own(own):
    assert len(own) == 5


@pytest.mark.parametrize(
    ("span", "tokens"),
    [((0, 19), range(5)), ((0, 5), range(1)), ((4, 6), range(2)), ((10, 13), range(2, 3)), ((13, 19), range(3, 5))],
)
def test_a_passage_has_every_token_that_it_overlaps(own, span, tokens):
    assert own.of(span, "passages[0]", 9) == tokens


def test_a_passage_between_tokens_has_none(own):
    with pytest.raises(InvalidArgumentError, match=r"passages\[3\] has no token"):
        own.of((10, 11), "passages[3]", 9)


def test_a_passage_of_too_many_tokens_is_refused_with_both_numbers(own):
    with pytest.raises(InvalidArgumentError, match=r"passages\[3\] has 4 tokens; limit 3"):
        own.of((5, 19), "passages[3]", 3)


@pytest.mark.parametrize(
    ("tokens", "passage", "context"),
    [
        (range(5), range(5), (0, 19)),
        (range(1, 4), range(2, 3), (11, 13)),  # a part of a word at either end, which is context alone
        (range(1, 4), range(1, 4), (5, 18)),  # the same, which the passage has
        (range(2, 5), range(2, 3), (11, 19)),
    ],
)
def test_the_context_of_a_passage_begins_and_ends_with_a_word(own, tokens, passage, context):
    assert own.context(Window(tokens=tokens, passages=(0,)), [passage]) == context
