import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HFTokenizer
from tokenizers import models, pre_tokenizers, processors

from polyseme.runtime.errors import TokenizerError
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate, portions

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "##a", "."]


def options(limit=512, **changes):
    return EncodeOptions(limit=limit, **changes)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A tokenizer of ten tokens that pads and cuts by itself, as files of sentence-transformers do."""
    inner = HFTokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.add_special_tokens(WORDS[:4])
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    inner.enable_padding(length=16)
    inner.enable_truncation(max_length=4)
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    inner.save(str(file))
    return file


@pytest.fixture(scope="module")
def tokenizer(path):
    return Tokenizer(path, vocab_size=10)


def test_encode_ignores_the_files_own_padding_and_truncation(tokenizer):
    (encoded,) = tokenizer.encode(["a b c d a b c d"], options())
    assert encoded.ids.tolist() == [2, 4, 5, 6, 7, 4, 5, 6, 7, 3]
    assert not encoded.truncated


@pytest.mark.parametrize(
    ("truncate", "special", "expected"),
    [
        (Truncate.END, True, [2, 4, 5, 3]),
        (Truncate.START, True, [2, 6, 7, 3]),
        (Truncate.NONE, True, [2, 4, 5, 6, 7, 3]),
        (Truncate.END, False, [4, 5, 6, 7]),
    ],
)
def test_encode_truncates_and_keeps_special_tokens(tokenizer, truncate, special, expected):
    (encoded,) = tokenizer.encode(["a b c d"], options(4, truncate=truncate, add_special_tokens=special))
    assert expected == encoded.ids.tolist()
    assert (6 if special else 4) == encoded.original_tokens
    assert (len(expected) < encoded.original_tokens) == encoded.truncated


def test_encode_without_special_tokens_cuts_at_either_end(tokenizer):
    for truncate, expected in ((Truncate.END, [4, 5]), (Truncate.START, [6, 7])):
        cut = options(2, truncate=truncate, add_special_tokens=False)
        assert expected == tokenizer.encode(["a b c d"], cut)[0].ids.tolist()


def test_encode_empty_text(tokenizer):
    assert tokenizer.encode([""], options())[0].ids.tolist() == [2, 3]
    assert tokenizer.encode([""], options(add_special_tokens=False))[0].ids.tolist() == []


def test_encode_puts_the_prompt_before_each_text(tokenizer):
    assert tokenizer.encode(["b"], options(prompt="a "))[0].ids.tolist() == [2, 4, 5, 3]


@pytest.mark.parametrize(
    ("prompt", "special", "expected"),
    [("", True, 0), ("a ", True, 2), ("a b", True, 3), ("a b", False, 2), ("a [SEP]", False, 1), ("a " * 20, True, 9)],
)
def test_prompt_tokens_are_those_of_the_prompt_alone(tokenizer, prompt, special, expected):
    """[CLS] is one of them, a special token that ends it is not; as many as fit where the limit cuts it."""
    assert tokenizer.prompt_tokens(options(prompt=prompt, add_special_tokens=special, limit=10)) == expected


def test_tokenize_gives_offsets_without_the_prompt(tokenizer):
    (text,) = tokenizer.tokenize(["b aa"], options(prompt="a "))
    assert text.tokens == ["[CLS]", "a", "b", "a", "##a", "[SEP]"]
    assert text.offsets == [(0, 0), (0, 0), (0, 1), (2, 3), (3, 4), (0, 0)]
    assert text.special == [True, False, False, False, False, True]


def test_tokenize_counts_words_of_the_text_alone(tokenizer):
    (text,) = tokenizer.tokenize(["b aa ."], options(prompt="a . "))
    assert text.tokens == ["[CLS]", "a", ".", "b", "a", "##a", ".", "[SEP]"]
    assert text.word_ids == [-1, -1, -1, 0, 1, 1, 2, -1]


def test_tokenize_leaves_to_the_text_what_it_shares_with_the_prompt(tokenizer):
    (text,) = tokenizer.tokenize(["a b"], options(prompt="b a"))
    assert text.tokens == ["[CLS]", "b", "a", "##a", "b", "[SEP]"]
    assert text.offsets == [(0, 0), (0, 0), (0, 0), (0, 1), (2, 3), (0, 0)]
    assert text.word_ids == [-1, -1, -1, 0, 1, -1]


@pytest.mark.parametrize("text", ["", " "])
def test_tokenize_of_a_prompt_alone_has_no_word(tokenizer, text):
    (tokens,) = tokenizer.tokenize([text], options(prompt="a b "))
    assert tokens.word_ids == [-1] * 4
    assert tokens.offsets == [(0, 0)] * 4


@pytest.mark.parametrize(
    ("truncate", "kept", "cut", "words"),
    [
        (Truncate.NONE, [(0, 0), (0, 1), (2, 3), (4, 5), (6, 7), (0, 0)], [], [-1, 0, 1, 2, 3, -1]),
        (Truncate.END, [(0, 0), (0, 1), (2, 3), (0, 0)], [(4, 5), (6, 7)], [-1, 0, 1, -1]),
        (Truncate.START, [(0, 0), (4, 5), (6, 7), (0, 0)], [(0, 1), (2, 3)], [-1, 2, 3, -1]),
    ],
)
def test_tokenize_tells_what_was_cut(tokenizer, truncate, kept, cut, words):
    (text,) = tokenizer.tokenize(["a b c d"], options(4, truncate=truncate))
    assert (text.offsets, text.cut_offsets, text.word_ids) == (kept, cut, words)


def test_tokenize_may_cut_the_prompt(tokenizer):
    (text,) = tokenizer.tokenize(["b c"], options(3, prompt="a ", truncate=Truncate.START))
    assert (text.offsets, text.cut_offsets, text.word_ids) == ([(0, 0), (2, 3), (0, 0)], [(0, 0), (0, 1)], [-1, 1, -1])


def test_tokenize_counts_words_from_0_and_none_as_minus_1(tokenizer):
    assert next(tokenizer.tokenize(["aa ."], options())).word_ids == [-1, 0, 0, 1, -1]


def test_tokenize_derives_special_from_ids(tokenizer):
    (text,) = tokenizer.tokenize(["a [SEP] x"], options())
    assert text.tokens == ["[CLS]", "a", "[SEP]", "[UNK]", "[SEP]"]
    # The unknown token stands for text, though the file calls it special too.
    assert text.special == [True, False, True, False, True]


@given(
    texts=st.lists(st.text("ab. x", max_size=40), min_size=1, max_size=5),
    limit=st.integers(2, 12),
    truncate=st.sampled_from(Truncate),
    special=st.booleans(),
)
def test_tokenize_agrees_with_encode(tokenizer, texts, limit, truncate, special):
    how = options(limit, truncate=truncate, add_special_tokens=special)
    for encoded, text in zip(tokenizer.encode(texts, how), tokenizer.tokenize(texts, how), strict=True):
        np.testing.assert_array_equal(encoded.ids, text.ids)
        assert encoded.original_tokens == text.original_tokens
        assert {len(text.ids)} == {len(text.tokens), len(text.offsets), len(text.word_ids), len(text.special)}
        assert truncate is Truncate.NONE or len(text.ids) <= limit


@given(st.lists(st.integers(0, 100_000).map(lambda size: "a" * size), max_size=8))
def test_portions_lose_nothing_and_are_bounded(texts):
    parts = list(portions(texts))
    assert [text for part in parts for text in part] == texts
    assert all(part for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= 65_536 for part in parts)


def test_init_refuses_ids_beyond_the_vocabulary(path):
    with pytest.raises(TokenizerError, match=r"ids up to 9; the model's vocabulary ends at 8"):
        Tokenizer(path, vocab_size=9)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": 1}', "\x00" * 100])
def test_init_refuses_what_is_no_tokenizer(tmp_path, content):
    file = tmp_path / "tokenizer.json"
    file.write_text(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json cannot be read") as refused:
        Tokenizer(file, vocab_size=10)
    assert "\n" not in str(refused.value)


def test_a_file_that_tokenizes_at_random_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    HFTokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")], dropout=0.1)).save(str(path))
    with pytest.raises(TokenizerError, match=r"leaves out merges at random \(dropout 0\.1\): no two runs are equal"):
        Tokenizer(path, vocab_size=3)
