"""The vocabularies of the tiny models: word pieces, byte pairs, and sentencepiece's unigrams."""

import string

ACCENTED = "éàçñöüßøÉÜΣσςİı"
IDEOGRAPHS = "我爱中国日本語かカ한국"
LETTERS = string.ascii_letters + string.digits + ACCENTED + IDEOGRAPHS + "жЖ"
MARKS = ".,;:!?'\"-_()[]<>/%#@&*+=▁"
BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MPNET_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "[UNK]")
WORDS = (
    "the",
    "The",
    "of",
    "bank",
    "Bank",
    "river",
    "café",
    "cafe",
    "naïve",
    "naive",
    "can",
    "straße",
    "strasse",
    "query",
)


def word_pieces(special=BERT_SPECIAL, more=()):
    """Ids by token, as vocab.txt has them line by line."""
    tokens = [*special, *WORDS, *LETTERS, *MARKS, *("##" + letter for letter in LETTERS), "##ing", "##s", *more]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def byte_alphabet():
    """How byte-level vocabularies spell each byte. Source: Radford et al. 2019 (GPT-2), encoder.py."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in kept]
    return [*map(chr, kept), *(chr(256 + i) for i in range(len(others)))]


MERGES = (("t", "h"), ("th", "e"), ("Ġ", "the"), ("b", "a"), ("n", "k"), ("ba", "nk"), ("Ġ", "bank"), ("Ġ", "o"),
          ("Ġo", "f"), ("r", "i"), ("v", "er"), ("e", "r"))  # fmt: skip


def byte_pairs(special=ROBERTA_SPECIAL, last=("<mask>",)):
    """Ids by token."""
    tokens = [*special, *byte_alphabet(), *(a + b for a, b in MERGES), *last]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def unigrams(special=ROBERTA_SPECIAL, last=("<mask>",)):
    """[token, score], in the order of ids. The mark of a space is a token, and "Zoo" is none."""
    words = [("▁" + word, -3.0 - 0.01 * i) for i, word in enumerate(WORDS)]
    letters = [(letter, -6.0 - 0.001 * i) for i, letter in enumerate(dict.fromkeys(LETTERS + MARKS.replace("▁", "")))]
    return [
        *((token, 0.0) for token in special),
        ("▁", -4.0),
        *words,
        *letters,
        ("ing", -5.0),
        *((t, 0.0) for t in last),
    ]
