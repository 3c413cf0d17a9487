"""The real tokenizer on texts that are hard to keep offsets of."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HFTokenizer

from polyseme.runtime.text.offsets import OffsetTable, OffsetUnit
from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

VOCABULARY = 30_522
ENCODINGS = {OffsetUnit.UTF8_BYTE: ("utf-8", 1), OffsetUnit.UTF16_CODE_UNIT: ("utf-16-le", 2)}

PIECES = [
    *("the", "bank", "can't", "state-of-the-art", "3.14", "naïve", "Ünïcödé", "straße", "STRASSE", "ﬃ", "ŉ", "İ"),
    *("antidisestablishmentarianism", "pneumonoultramicroscopicsilicovolcanoconiosis", "x" * 101, "embeddings"),
    *("我", "银行", "漢字かな", "カタカナ", "한국어", "각", "\u1112\u1161\u11ab", "ภาษา", "हिन्दी", "தமிழ்"),
    *("cafe\u0301", "re\u0301sume\u0301", "e\u0301\u0323\u0302", "\u0301", "a" + "\u0308" * 30),
    *("👨\u200d👩\u200d👧", "👍🏽", "🇩🇪", "🇩", "❤\ufe0f", "1\ufe0f\u20e3", "😀"),
    *("שלום", 'צה"ל', "مُحَمَّد", "\u202eabc\u202c", "\u200f"),
    *("\u200b", "\u200d", "\ufeff", "\u00ad", "\x00", "\ufffd", "\x7f", "\u2060"),
    *("...", "—", "«", "“bank”", "$", "##ing", "#", "'", "(bank)", "¿bank?"),
    *("[SEP]", "[CLS]", "[PAD]", "[UNK]", "[MASK]", "[sep]", "[ SEP ]", "[SEP"),
    *(" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\u3000"),
    *("\u1e9e", "\u0130\u0130", "Å", "ª", "½", "№", "\U0001d54f", "\U000e0041", "\uffff"),
]
character = st.characters(exclude_categories=["Cs"])
hard_texts = (
    st.lists(st.sampled_from(PIECES) | character, max_size=12).map("".join)
    | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)
    | st.text(character, max_size=30)
)
thorough = settings(max_examples=1_000)


@pytest.fixture(scope="module")
def tokenizer(minilm_artifact):
    return Tokenizer(minilm_artifact / "tokenizer.json", vocab_size=VOCABULARY)


@pytest.fixture(scope="module")
def normalise(minilm_artifact):
    return HFTokenizer.from_file(str(minilm_artifact / "tokenizer.json")).normalizer.normalize_str


def tokenize(tokenizer, text, limit=100_000, **options):
    return next(tokenizer.tokenize([text], EncodeOptions(limit=limit, **options)))


def refuse_wrong_offsets(text, tokens, normalise):
    """What the contract says of the tokens of a text, with or without a prompt before it."""
    own = [(start, end) for start, end in tokens.offsets if end]
    assert all(0 <= start < end <= len(text) for start, end in own)
    assert all(one[0] <= other[0] for one, other in pairwise(own))
    assert all(one[1] <= other[1] for one, other in pairwise(own)), "not promised, but `Overlaps` is faster for it"
    for token, special, (start, end) in zip(tokens.tokens, tokens.special, tokens.offsets, strict=True):
        if special or token == "[UNK]":
            assert end == 0 or token == "[UNK]" or text[start:end] == token
        elif end:
            assert token.removeprefix("##") in normalise(text[start:end])


@thorough
@given(hard_texts)
@example("한")
@example("cafe\u0301")
@example("a" * 101)
@example("x[SEP]y [MASK]")
@example(" ".join(PIECES) * 20)
def test_offsets_hold_the_tokens(tokenizer, normalise, text):
    tokens = tokenize(tokenizer, text)
    refuse_wrong_offsets(text, tokens, normalise)
    assert (tokens.offsets[0], tokens.offsets[-1]) == ((0, 0), (0, 0))
    assert all(end for _, end in tokens.offsets[1:-1]), "only what the model adds lies nowhere"
    assert list(tokens.cut_offsets) == []


@thorough
@given(hard_texts)
def test_word_ids_count_from_0_and_never_decrease(tokenizer, text):
    tokens = tokenize(tokenizer, text)
    own = tokens.word_ids[1:-1]
    assert (tokens.word_ids[0], tokens.word_ids[-1]) == (-1, -1)
    assert own[:1] in ([], [0])
    assert all(one <= other <= one + 1 for one, other in pairwise(own))


@thorough
@given(hard_texts, st.sampled_from(["query: ", "passage:", "é ", "[SEP] ", "한", "😀"]))
def test_a_prompt_moves_nothing(tokenizer, normalise, text, prompt):
    tokens = tokenize(tokenizer, text, prompt=prompt)
    refuse_wrong_offsets(text, tokens, normalise)
    own = [word for word, (_, end) in zip(tokens.word_ids, tokens.offsets, strict=True) if end]
    assert own[:1] in ([], [0])
    assert all(word == -1 for word, (_, end) in zip(tokens.word_ids, tokens.offsets, strict=True) if not end)
    if prompt == "query: " and not unicodedata.combining(text[:1] or "a"):
        alone = tokenize(tokenizer, text)
        assert tokens.tokens[3:] == alone.tokens[1:]
        assert tokens.offsets[3:] == alone.offsets[1:]
        assert tokens.word_ids[3:] == alone.word_ids[1:]


@thorough
@given(hard_texts, st.integers(2, 12), st.sampled_from([Truncate.START, Truncate.END]), st.booleans())
def test_what_is_kept_and_what_is_cut_are_all_tokens(tokenizer, text, limit, truncate, special):
    whole = tokenize(tokenizer, text, add_special_tokens=special)
    cut = tokenize(tokenizer, text, limit, truncate=truncate, add_special_tokens=special)
    end = len(cut.offsets) - special if truncate is Truncate.END else int(special)
    joined = [*cut.offsets[:end], *cut.cut_offsets, *cut.offsets[end:]]
    assert joined == whole.offsets
    assert len(cut.ids) == min(limit, len(whole.ids))
    assert cut.truncated == bool(cut.cut_offsets)


@thorough
@given(hard_texts)
def test_every_unit_slices_the_same(tokenizer, text):
    tokens = tokenize(tokenizer, text)
    for unit, (encoding, width) in ENCODINGS.items():
        table, encoded = OffsetTable(text, unit), text.encode(encoding)
        assert table.length * width == len(encoded)
        for start, end in tokens.offsets:
            first, last = table.from_code_points(start), table.from_code_points(end)
            assert encoded[first * width : last * width].decode(encoding) == text[start:end]
            assert (table.to_code_points(first), table.to_code_points(last)) == (start, end)
