import pytest

from polyseme.client import InvalidArgumentError, Mention, Word
from polyseme.client._arguments.operands import as_operands, mention


@pytest.mark.parametrize(("operands", "single"), [("a", True), (Mention("a", "a"), True), (["a"], False)])
def test_as_operands_says_whether_a_single_one_was_passed(operands, single):
    assert as_operands(operands, "a")[1] is single


def test_as_operands_keeps_whole_texts_words_and_spans_apart():
    whole, word, span = as_operands(["a b", Mention("a b", "b"), Mention("a b", span=(0, 1))], "a")[0]
    assert {one.text for one in (whole, word, span)} == {"a b"}
    assert [one.WhichOneof("part") for one in (whole, word, span)] == [None, "word", "span"]
    assert (word.word.text, span.span.start, span.span.end) == ("b", 0, 1)


@pytest.mark.parametrize(
    ("operands", "field"),
    [(["a", 3], "b[1]"), ([Mention("a", span=(2, 1))], "b[0].span"), ([Mention("a", "")], "b[0].word")],
)
def test_as_operands_names_the_operand(operands, field):
    with pytest.raises(InvalidArgumentError) as error:
        as_operands(operands, "b")
    assert error.value.field == field


def test_mention_takes_a_text_and_a_part_of_it():
    assert mention(("a b", "b"), "a") == Mention("a b", "b")
    assert mention(("a b", Word("b", 1)), "a") == Mention("a b", Word("b", 1))
    assert mention(("a b", (0, 1)), "a") == Mention("a b", span=(0, 1))


@pytest.mark.parametrize("operand", ["a", ("a",), ["a", "b"]])
def test_mention_refuses(operand):
    with pytest.raises(InvalidArgumentError, match=r"^a must be a Mention or \(text, word\), got "):
        mention(operand, "a")
