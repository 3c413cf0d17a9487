"""Tokenizers of other families than BERT: byte-level pairs as RoBERTa has them, Unigram as XLM-R; trained here."""

import random
from itertools import pairwise

import pytest
from tests.runtime.test_hard_text import PIECES
from tokenizers import Regex, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as HFTokenizer

from polyseme.runtime.text.tokenizer import EncodeOptions, Tokenizer, Truncate

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
CORPUS = [" ".join(PIECES) * 3, "the quick brown fox jumps over the lazy dog " * 50, "caffè naïve 한국어 日本語 " * 20]


def byte_level():
    tokenizer = HFTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=500, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def unigram():
    tokenizer = HFTokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


@pytest.fixture(scope="module", params=[byte_level, unigram], ids=lambda make: make.__name__)
def tokenizer(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    request.param().save(str(path))
    return Tokenizer(path, vocab_size=1000)


def texts(count, seed=1):
    draw = random.Random(seed)
    for _ in range(count):
        yield draw.choice(["", " "]).join(draw.choice(PIECES) for _ in range(draw.randint(0, 6)))


def tokenize(tokenizer, text, **options):
    return next(tokenizer.tokenize([text], EncodeOptions(**{"limit": 10_000, **options})))


@pytest.mark.parametrize("prompt", ["", "query: "])
def test_offsets_lie_in_the_text_and_starts_never_decrease(tokenizer, prompt):
    for text in texts(1_000):
        tokens = tokenize(tokenizer, text, prompt=prompt)
        assert (tokens.offsets[0], tokens.offsets[-1]) == ((0, 0), (0, 0))
        own = [(start, end) for start, end in tokens.offsets if end]
        assert all(0 <= start <= end <= len(text) for start, end in own)
        assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(own))
        assert tokens.special[0]
        assert tokens.special[-1]


def test_every_letter_lies_in_a_token(tokenizer):
    for text in texts(1_000, seed=2):
        offsets = tokenize(tokenizer, text).offsets
        for place, character in enumerate(text):
            if character.isalnum() and character.isascii():
                assert any(start <= place < end for start, end in offsets), (text, place)


def test_special_tokens_are_those_that_stand_for_no_text(tmp_path):
    """A text that the vocabulary has not becomes <unk>, which is no special token then."""
    path = tmp_path / "tokenizer.json"
    unigram().save(str(path))
    tokenizer = Tokenizer(path, vocab_size=1000)
    assert sorted(tokenizer.special_ids) == [0, 1, 2, 4]
    tokens = tokenize(tokenizer, "the \U00010380 fox")
    assert [special for i, special in zip(tokens.ids, tokens.special, strict=True) if i == SPECIAL.index("<unk>")] == [
        False
    ]


def test_what_is_kept_and_what_is_cut_are_all_tokens(tokenizer):
    for text in texts(300, seed=3):
        whole, cut = tokenize(tokenizer, text), tokenize(tokenizer, text, limit=6, truncate=Truncate.END)
        assert [*cut.offsets[:-1], *cut.cut_offsets, cut.offsets[-1]] == list(whole.offsets)
        assert list(tokenizer.encode([text], EncodeOptions(limit=6, truncate=Truncate.END))[0].ids) == list(cut.ids)
