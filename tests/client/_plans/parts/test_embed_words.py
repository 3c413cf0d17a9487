"""embed_words, over a real socket, unary and streamed."""

import numpy as np
import pytest
from tests.client.fake_context import token_vectors

from polyseme.client import InvalidArgumentError, Word

BANK = "a bank by the bank"


def test_embed_words_finds_words(either, server):
    found = either.embed_words(BANK, words=["bank", Word("by")])
    assert found.words == ("bank", "bank", "by")
    assert found.spans == ((2, 6), (14, 18), (7, 9))
    assert found.tokens == ((2, 3, 4, 5), (14, 15, 16, 17), (7, 8))
    assert (found.queries, found.occurrences) == ((0, 0, 1), (1, 2, 1))
    assert (found.truncated, len(found), found.info.tokens) == ((False,) * 3, 3, 16)
    expected = [token_vectors(BANK, [2], list(range(*span)))[0].mean(0) for span in found.spans]
    assert np.allclose(found.vectors, expected, atol=1e-6)
    assert server.faults.calls == {"EmbedSpans": 1}


def test_embed_words_takes_one_word_and_its_occurrence(either):
    assert either.embed_words(BANK, words="bank").occurrences == (1, 2)
    assert either.embed_words(BANK, words=Word("bank", occurrence=2)).spans == ((14, 18),)


def test_embed_words_gives_every_word_where_nothing_is_asked_for(either):
    assert either.embed_words(BANK).words == ("a", "bank", "by", "the", "bank")


def test_embed_words_gives_spans_before_words(client):
    found = client.embed_words(BANK, spans=[(0, 1), (7, 9)], words="the")
    assert (found.words, found.queries, found.occurrences) == (("a", "by", "the"), (0, 1, 2), (0, 0, 1))


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_embed_words_of_a_list_streams(either, server, rows):
    server.faults.chunk_rows = rows
    texts = [BANK, "", "the bank"]
    found = either.embed_words(texts, layers=[0, 1, 2], combine="none")
    assert [one.words for one in found] == [("a", "bank", "by", "the", "bank"), (), ("the", "bank")]
    assert [one.vectors.shape for one in found] == [(3, 5, 12), (3, 0, 12), (3, 2, 12)]
    assert np.allclose(found[2].vectors[:, 0], token_vectors("the bank", [0, 1, 2], [0, 1, 2]).mean(1), atol=1e-6)
    assert server.faults.calls == {"StreamEmbed": 1}


def test_embed_words_takes_spans_for_each_text(client):
    found = client.embed_words([BANK, "the bank"], spans=[[(2, 6)], [(0, 3), (4, 8)]])
    assert [one.words for one in found] == [("bank",), ("the", "bank")]


def test_embed_words_carries_every_option(client, server):
    client.embed_words(
        BANK, words=Word("bank", 1, partial_word=True, ignore_case=True), subtokens="first_last", normalize=True,
        offset_unit="utf8_byte", dtype="float16", layers=["static", -1], combine="mean", priority="bulk",
        truncate="end",
    )  # fmt: skip
    request = server.faults.requests[-1]
    word = request.inputs[0].words[0]
    assert (word.occurrence, word.partial_word, word.ignore_case) == (1, True, True)
    assert (request.subtokens, request.normalize, request.offset_unit, request.dtype) == (3, True, 2, 2)
    assert (list(request.layers.layers), request.layers.static_embedding, request.layers.combine) == ([-1], True, 2)
    assert (request.priority, request.text_options.truncate) == (2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"words": []}, "words is empty; leave it out"),
        ({"words": [""]}, r"words\[0\] has 0 bytes of UTF-8; 1 to 1024 are valid"),
        ({"words": ["ok", "y" * 1025]}, r"words\[1\] has 1025 bytes of UTF-8; 1 to 1024 are valid"),
        ({"words": "\ud800"}, r"words has a lone surrogate at position 0"),
        ({"words": [3]}, r"words\[0\] must be a str or a Word, got int"),
        ({"words": {"a"}}, "words must be a sequence, got set"),
        ({"words": Word("a", -1)}, r"words: occurrence is -1; 0 to 4294967295"),
        ({"words": Word("a", "2")}, r"words: occurrence must be an int, got str"),
        ({"words": Word("a", ignore_case=1)}, "words: ignore_case must be a bool, got int"),
        ({"spans": [(2, 2)]}, r"spans\[0\] is \(2, 2\); the end must be greater"),
        ({"spans": (2, 6)}, r"spans\[0\] must be \(start, end\), got int"),
        ({"spans": [(0, 1 << 32)]}, r"spans\[0\]: end is 4294967296"),
        ({"spans": []}, "spans is empty; a text without spans"),
        ({"subtokens": "max"}, "subtokens is 'max'; valid: first, last, first_last, mean"),
        ({"dtype": "binary"}, "dtype is 'binary'; valid: float32, float16, bfloat16, int8"),
    ],
)
def test_embed_words_refuses(client, server, options, message):
    with pytest.raises(InvalidArgumentError, match=f"^{message}"):
        client.embed_words(BANK, **options)
    assert not server.faults.calls


def test_embed_words_refuses_spans_for_another_number_of_texts(client):
    with pytest.raises(InvalidArgumentError, match=r"^spans has 1 entries for 2 texts"):
        client.embed_words(["a", "b"], spans=[[(0, 1)]])


def test_embed_words_speaks_of_texts_where_the_server_speaks_of_inputs(either):
    with pytest.raises(InvalidArgumentError, match=r": texts\[0\]\.words\[0\]: not found$"):
        either.embed_words(BANK, words="river")
