"""word_similarity, and mentions of words among the operands of similarity and top_k."""

import grpc
import pytest

from polyseme.client import InvalidArgumentError, Mention, Word

BANK = "a bank by the bank"


def test_word_similarity_sends_what_it_was_given(either, server):
    score = either.word_similarity(
        (BANK, Word("bank", 2)), Mention("the bank", span=(4, 8)), metric="dot", layers=(1, 2), subtokens="first"
    )
    assert isinstance(score, float)
    request = server.faults.requests[-1]
    assert (request.a[0].text, request.a[0].word.text, request.a[0].word.occurrence) == (BANK, "bank", 2)
    assert (request.b[0].span.start, request.b[0].span.end) == (4, 8)
    assert (request.mode, request.metric, list(request.layers.layers), request.subtokens) == (2, 2, [1, 2], 1)
    assert request.layers.combine == 1


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ("text", r"a must be a Mention or \(text, word\), got str"),
        (("text",), "a must be a Mention"),
        (("text", ""), r"a\[0\]\.word has 0 bytes"),
        (("text", 3), r"a\[0\]\.span must be \(start, end\), got int"),
        ((3, "word"), r"a\[0\] must be a str or a Mention, got int"),
    ],
)
def test_word_similarity_refuses(client, operand, message):
    with pytest.raises(InvalidArgumentError, match=f"^{message}"):
        client.word_similarity(operand, ("text", "text"))


def test_similarity_takes_mentions_among_texts(either, server):
    scores = either.similarity([Mention("a bank", "bank"), "a text"], Mention("the bank", span=(4, 8)))
    assert scores.shape == (2,)
    request = server.faults.requests[-1]
    assert [operand.WhichOneof("part") for operand in [*request.a, *request.b]] == ["word", None, "span"]
    assert not request.HasField("layers")


def test_top_k_takes_mentions(either):
    assert either.top_k(Mention("a bank", "bank"), [Mention("a bank", "bank"), "b"], 1).indices.tolist() == [0]


def test_similarity_names_the_operand_where_the_server_counts_texts(either, server):
    server.faults.failures = [(grpc.StatusCode.INVALID_ARGUMENT, "texts[3] has 913 tokens; limit 512")]
    with pytest.raises(InvalidArgumentError, match=r": b\[1\] has 913 tokens"):
        either.similarity(["a", "b"], ["c", "d"])


@pytest.mark.parametrize(("word", "span", "found"), [(None, None, "neither"), ("a", (0, 1), "both")])
def test_mention_takes_one_of_word_and_span(word, span, found):
    with pytest.raises(InvalidArgumentError, match=f"got {found}; a whole text is a str"):
        Mention("a", word, span)
