"""What is asked of every checkpoint: some texts, and thousands more of which ids and offsets alone are compared."""

# ruff: noqa: RUF001  # letters that look like others are what is asked for

import random

TEXTS = (
    "The Bank of the river.",
    "",
    "Zoo Zoo",
    "Café naïve ÉCOLE Straße STRASSE ΣΊΣΥΦΟΣ İı",
    "我爱中国 中国한국 カか",
    "can't re-do 3.14% of (the) bank's",
    "  leading  and   double spaces ",
    "a <pad> b <s></s> [MASK] <mask>c [SEP]",
    "[query] the bank[query]",
    "ＦＵＬＬ ½ ﬁ e\u0301 \u200bzero\u00adwidth\ttab\nline\x07",
    "the bank 🏦👍🏽 ##ing ▁mark Ġ_",
    "longest " + "b" * 100 + " " + "b" * 101 + " bank",
)
LONG = "the bank of the river " * 40
VECTORS = (*TEXTS, LONG)
PROMPTED = (TEXTS[0], TEXTS[2], LONG)

_WORDS = (
    "the of bank river The BANK café CAFÉ naïve Straße can't we're 3.14 1,000 a b Z zoo query",
    "我 爱中国 日本語 한국 カか ж Ж é e\u0301 É ß ẞ İ ı Σς ﬁ ½ ² ＡＢ １２ Ⅳ",
    "[MASK] [CLS] [SEP] [PAD] [UNK] <s> </s> <pad> <unk> <mask> [query] [Query] <extra> ##ing ▁ Ġ",
    ". , ! ? ' \" - — … “ ” ( ) [ ] < > / % # @ & * + = _ $ € ° © ™ 🏦 👍🏽 \u200b \u200d \u00ad \u0000 \x07 \ufeff",
)
_SPACES = (" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000")
_PIECES = (*(word for line in _WORDS for word in line.split(" ")), *_SPACES)


def many(count, seed=17):
    """Texts of up to nine pieces, with or without spaces between."""
    draw = random.Random(seed)
    for _ in range(count):
        between = draw.choice(("", " ", " "))
        yield between.join(draw.choice(_PIECES) for _ in range(draw.randint(0, 9)))
