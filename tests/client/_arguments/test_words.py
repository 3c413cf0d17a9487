import pytest

from polyseme.client import InvalidArgumentError, Word
from polyseme.client._arguments.words import span_message, span_messages, word_queries, word_query


def test_word_query_takes_a_str_or_a_word():
    assert word_query("bank", "words[0]") == word_query(Word("bank"), "words[0]")
    query = word_query(Word("bank", 2, partial_word=True, ignore_case=True), "words[0]")
    assert (query.text, query.occurrence, query.partial_word, query.ignore_case) == ("bank", 2, True, True)


@pytest.mark.parametrize(
    ("word", "field", "words"),
    [
        (3, "w", "got int"),
        ("", "w", "0 bytes of UTF-8; 1 to 1024"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 513, "w", "1026 bytes"),
        (Word("a", -1), "w.occurrence", "occurrence is -1"),
        (Word("a", partial_word=1), "w.partial_word", "partial_word must be a bool, got int"),
        (Word("a", ignore_case="no"), "w.ignore_case", "ignore_case must be a bool, got str"),
    ],
)
def test_word_query_refuses(word, field, words):
    with pytest.raises(InvalidArgumentError, match=words) as error:
        word_query(word, "w")
    assert error.value.field == field


@pytest.mark.parametrize("span", [(1, 1), (2, 1), (-1, 2), (1,), (1, 2, 3), "ab", 3, (1.0, 2)])
def test_span_message_refuses(span):
    with pytest.raises(InvalidArgumentError, match=r"^spans\[0\]"):
        span_message(span, "spans[0]")


def test_word_queries_of_nothing_are_every_word_and_an_empty_list_is_refused():
    assert word_queries(None) == []
    assert [query.text for query in word_queries("bank")] == ["bank"]
    assert [query.text for query in word_queries(["a", Word("b")])] == ["a", "b"]
    with pytest.raises(InvalidArgumentError, match="words is empty"):
        word_queries([])
    with pytest.raises(InvalidArgumentError, match="must be a sequence, got set"):
        word_queries({"a"})


def test_span_messages_are_one_list_for_each_text():
    assert span_messages(None, 2, single=False, needed=True) == [[], []]
    one, other = span_messages([[(0, 1)], []], 2, single=False, needed=False)
    assert ([(span.start, span.end) for span in one], other) == ([(0, 1)], [])
    assert len(span_messages([(0, 1), (2, 3)], 1, single=True, needed=True)[0]) == 2


@pytest.mark.parametrize(
    ("spans", "field", "words"),
    [([[(0, 1)]], "spans", "1 entries for 2 texts"), ([[(0, 1)], []], r"spans[1]", "every word")],
)
def test_span_messages_refuse(spans, field, words):
    with pytest.raises(InvalidArgumentError, match=words) as error:
        span_messages(spans, 2, single=False, needed=True)
    assert error.value.field == field
