import hashlib
import json
import time
from itertools import accumulate, combinations, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyseme.runtime.text.words import WordFinder, _segments, find, words

# One character of every class of UAX #29, a pictogram, and a pictogram that is a letter too.
CLASSES = "\r\n\x85\u0301\u200d\u2060ーאa'\".:,1_ \U0001f1e9!\U0001f600\u2139"
ICU = {
    1: "83990150ddba73e0286bef0e0e373be3465f1e90bd378264ac66020caef76f47",
    2: "5ce6cacd55bd2caad8f941adc76f5cc35430a392b7345f91d3837417a80f2f35",
    3: "df2c8c240829ff27ae4644ff53ab9c9a922bd5c601981dcc749bd58be9e89287",
}

text = st.text(
    st.sampled_from(CLASSES + "\u202f\u1823\u180bbBßẞİ\u0131ŉﬃ\u03c3ςΣ\u0345가我ה\u0308"), max_size=14
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize("length", ICU)
def test_segments_equal_those_of_icu(length):
    """The digests are of what ICU 78.2 gave (Intl.Segmenter of Node 20.20): the length of every segment.

    U+202F is not among them: it is another matter here.
    """
    lengths = [list(map(len, _segments("".join(some)))) for some in product(CLASSES, repeat=length)]
    assert hashlib.sha256(json.dumps(lengths).encode()).hexdigest() == ICU[length]


@given(text)
def test_segments_lose_nothing(text):
    assert "".join(_segments(text)) == text
    assert all(_segments(text))


@settings(max_examples=300)
@given(text)
def test_segments_of_a_part_between_boundaries_are_those_of_the_whole(text):
    """What lets `find` look for segments."""
    whole = _segments(text)
    for i, j in combinations(range(len(whole) + 1), 2):
        assert _segments("".join(whole[i:j])) == whole[i:j]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n", []),
        ("...!? --- «»", []),
        ("We sat on the bank.", ["We", "sat", "on", "the", "bank"]),
        ("can't, won\u2019t", ["can't", "won\u2019t"]),
        ("'quoted' rock'n'roll 'tis", ["quoted", "rock'n'roll", "tis"]),
        ("state-of-the-art", ["state", "of", "the", "art"]),
        ("3.14, 1,000.5 and 2.", ["3.14", "1,000.5", "and", "2"]),
        ("U.S.A. e.g. example.com", ["U.S.A", "e.g", "example.com"]),
        ("snake_case __init__ ___", ["snake_case", "__init__"]),
        ("a:b c::d user@example.com #tag", ["a:b", "c", "d", "user", "example.com", "tag"]),
        ("3rd 4x4 $5 10%", ["3rd", "4x4", "5", "10"]),
        ("我们在银行", ["我", "们", "在", "银", "行"]),
        ("한국어 단어를", ["한국어", "단어를"]),
        ("\u1112\u1161\u11ab", ["\u1112\u1161\u11ab"]),  # Hangul as jamo
        ("カタカナ と ひらがな", ["カタカナ", "と", "ひ", "ら", "が", "な"]),
        ("ｶﾀｶﾅ", ["ｶﾀｶﾅ"]),
        ('צה"ל', ['צה"ל']),
        ("ג'ירפה ה' x", ["ג'ירפה", "ה'", "x"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("«\u202fla banque\u202f» : 10\u202f000\u202f€\u202f!", ["la", "banque", "10\u202f000"]),
        ("page\u202f5\u202fbis a_\u202fb", ["page", "5", "bis", "a_", "b"]),
        ("ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ ᠮᠣᠩ\u180b\u202fᠤᠨ", ["ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ", "ᠮᠣᠩ\u180b\u202fᠤᠨ"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("مُحَمَّد", ["مُحَمَّد"]),
        ("cafe\u0301 re\u0301sume\u0301", ["cafe\u0301", "re\u0301sume\u0301"]),
        ("\u0301a", ["a"]),
        (
            "soft\u00adhyphen zero\u200bwidth joi\u200dner \ufeffbom",
            ["soft\u00adhyphen", "zero", "width", "joi\u200dner", "bom"],
        ),
        ("👨\u200d👩\u200d👧 🇩🇪🇫🇷 👍🏽 ❤\ufe0f", []),
        ("a😀b 🇩a🇩🇪b", ["a", "b", "a", "b"]),
        ("1\ufe0f\u20e3", ["1\ufe0f\u20e3"]),  # a keycap is a digit with marks
        ("½ x² Ⅷ", ["½", "x", "²", "Ⅷ"]),
        ("ภาษาไทย", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),  # no dictionary: a word per letter
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("a\nb\r\nc\u2028d", ["a", "b", "c", "d"]),
    ],
)
def test_words(text, expected):
    assert [text[start:end] for start, end in words(text)] == expected


@given(text)
def test_words_are_the_segments_with_a_letter_or_digit(text):
    ends = [0, *accumulate(map(len, _segments(text)))]
    spans = pairwise(ends)
    assert list(words(text)) == [(i, j) for i, j in spans if any(c.isalnum() for c in text[i:j])]


@pytest.mark.parametrize(
    ("text", "word", "options", "expected"),
    [
        ("the bank robbed the bank", "bank", {}, [(4, 8), (20, 24)]),
        ("embankment bank", "bank", {}, [(11, 15)]),
        ("embankment bank", "bank", {"partial_word": True}, [(2, 6), (11, 15)]),
        ("bank's bank.", "bank", {}, [(7, 11)]),  # bank's is one word
        ("a state-of-the-art state", "state-of-the-art", {}, [(2, 18)]),
        ("a state-of-the-art state", "state", {}, [(2, 7), (19, 24)]),
        ("New York, New York", "New York", {}, [(0, 8), (10, 18)]),
        ("New  York", "New York", {}, []),
        ("we sat. we", "sat.", {}, [(3, 7)]),
        ("a.b", "a.", {}, []),
        ("我我我们", "我", {}, [(0, 1), (1, 2), (2, 3)]),
        ("aaaaa", "aa", {"partial_word": True}, [(0, 2), (2, 4)]),
        ("aa aa", "aa aa aa", {}, []),
        ("cafe\u0301 cafe", "cafe", {}, [(6, 10)]),
        ("cafe\u0301 cafe", "cafe", {"partial_word": True}, [(0, 4), (6, 10)]),
        ("caf\u00e9", "cafe\u0301", {}, []),  # nothing is normalised
        ("Bank BANK bank", "bank", {}, [(10, 14)]),
        ("Bank BANK bank", "bANK", {"ignore_case": True}, [(0, 4), (5, 9), (10, 14)]),
        ("die Straße", "STRASSE", {"ignore_case": True}, [(4, 10)]),
        ("die STRASSE", "straße", {"ignore_case": True}, [(4, 11)]),
        ("Straßenbahn", "STRASSE", {"ignore_case": True, "partial_word": True}, [(0, 6)]),
        ("İstanbul x", "i\u0307stanbul", {"ignore_case": True}, [(0, 8)]),
        ("İ \u0131 i I", "i", {"ignore_case": True}, [(4, 5), (6, 7)]),  # Turkish is another language's rule
        ("ŉ", "\u02bcN", {"ignore_case": True}, [(0, 1)]),
        ("oﬃce", "OFFICE", {"ignore_case": True}, [(0, 4)]),
        ("ΟΔΟΣ οδος οδοσ", "οδος", {"ignore_case": True}, [(0, 4), (5, 9), (10, 14)]),
        ("\u212a \u017f", "K", {"ignore_case": True}, [(0, 1)]),  # Kelvin sign
        ("🇩🇪🇫🇷", "🇫🇷", {}, [(2, 4)]),
        ("🇩🇪🇫🇷", "🇪🇫", {}, []),
        ("🇩🇪🇫🇷", "🇪🇫", {"partial_word": True}, [(1, 3)]),
        ("👨\u200d👩\u200d👧", "👩", {}, []),
        ("a [b] .* \\b", ".*", {}, [(6, 8)]),  # no pattern
        ("", "a", {}, []),
    ],
)
def test_find(text, word, options, expected):
    assert find(text, word, **options) == expected


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [("Straße", "STRASS", [(0, 5)]), ("ßß", "s", [(0, 1), (1, 2)]), ("oﬃ", "f", [(1, 2)]), ("ßs", "sss", [(0, 2)])],
)
def test_find_takes_letters_whole(text, word, expected):
    assert find(text, word, partial_word=True, ignore_case=True) == expected


@settings(max_examples=500)
@given(text.filter(bool), st.data(), st.booleans())
def test_find_equals_the_comparison_of_every_part_between_boundaries(text, data, ignore_case):
    whole = _segments(text)
    start = data.draw(st.integers(0, len(whole) - 1))
    word = "".join(whole[start : start + data.draw(st.integers(1, 3))])
    fold = str.casefold if ignore_case else str
    wanted = [fold(segment) for segment in _segments(word)]
    borders = [0, *accumulate(map(len, whole))]
    expected, i = [], 0
    while i < len(whole):
        j = i + len(wanted)
        same = [fold(segment) for segment in whole[i:j]] == wanted
        expected += [(borders[i], borders[j])] if same else []
        i = j if same else i + 1
    assert expected
    assert find(text, word, ignore_case=ignore_case) == expected


@settings(max_examples=500)
@given(text, st.data())
def test_find_of_partial_words_covers_the_folded_word(text, data):
    start = data.draw(st.integers(0, len(text)))
    word = text[start : start + data.draw(st.integers(1, 4))] or "x"
    exact = find(text, word, partial_word=True)
    assert len(exact) == text.count(word)
    assert all(text[i:j] == word for i, j in exact)
    folded = find(text, word.swapcase(), partial_word=True, ignore_case=True)
    assert all(word.swapcase().casefold() in text[i:j].casefold() for i, j in folded)
    assert all(j <= k for (_, j), (k, _) in pairwise(folded))


def test_find_refuses_the_empty_word():
    with pytest.raises(ValueError, match="empty"):
        find("a", "")


def test_finder_answers_as_find_does():
    finder = WordFinder("The bank, the Bank, embank")
    for word, partial, ignore in product(["bank", "the"], [False, True], [False, True]):
        options = {"partial_word": partial, "ignore_case": ignore}
        assert list(finder.find(word, **options)) == find("The bank, the Bank, embank", word, **options)


@pytest.mark.parametrize(
    "text",
    [
        "a'" * 131_072,
        " _" * 131_072,
        "ab " * 87_000,
        "1," * 131_072,
        "a_カ" * 50_000,
        "ש'1" * 60_000,
        "\U0001f1e9" * 65_536,
        "\u0301" * 131_072,
        "a'" + "\u0301" * 131_000,
        ("a." + "\u0301" * 50) * 2_500,
        "👨\u200d" * 37_000,
        "ß" * 131_072,
    ],
    ids=lambda text: ascii(text[:5]),
)
def test_hostile_texts_take_linear_time(text):
    """256 KiB of UTF-8, half a second at most; what is quadratic in one of these takes a minute or more."""
    start = time.process_time()
    sum(1 for _ in words(text))
    finder = WordFinder(text)
    for word, partial, ignore in product(["ab " * 340 + "a", "s" * 1023, "a"], [False, True], [False, True]):
        sum(1 for _ in finder.find(word, partial_word=partial, ignore_case=ignore))
    assert time.process_time() - start < 10
