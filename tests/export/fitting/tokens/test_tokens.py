from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from polyseme.artifact import Artifact
from polyseme.export.fitting.texts import FitError
from polyseme.export.fitting.tokens import tokens as module
from polyseme.export.fitting.tokens.spans import LabelledSpan, SpannedTexts
from polyseme.export.fitting.tokens.tokens import tagged


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


def of(*rows):
    """Rows of (text, spans) that need not be many."""
    spans = tuple(tuple(sorted(each)) for _, each in rows)
    labels = tuple(sorted({label for each in spans for *_, label in each}))
    return SpannedTexts(
        texts=tuple(text for text, _ in rows),
        spans=tuple(tuple(LabelledSpan(*span) for span in each) for each in spans),
        labels=labels,
        places=tuple(f"line {number}" for number in range(1, len(rows) + 1)),
    )


def test_the_first_token_of_a_span_begins_it_and_others_go_on(artifact):
    found = tagged(artifact, of(("to ann bo, x", [(3, 9, "PER"), (11, 12, "LOC")])))
    (one,) = found.texts
    named = [
        (one.tokens.tokens[place], found.labels[number])
        for place, number in zip(one.places, found.numbers, strict=True)
    ]
    assert named == [
        ("t", "O"),
        ("##o", "O"),
        ("a", "B-PER"),
        ("##n", "I-PER"),
        ("##n", "I-PER"),
        ("b", "I-PER"),
        ("##o", "I-PER"),
        (",", "O"),
        ("x", "B-LOC"),
    ]  # fmt: skip
    assert [one.tokens.tokens[place] for place in (0, len(one.tokens.ids) - 1)] == ["[CLS]", "[SEP]"]


def test_labels_that_no_token_has_are_not_the_heads(artifact):
    assert tagged(artifact, of(("x y", [(0, 1, "ONE")]))).labels == ("O", "B-ONE")
    assert tagged(artifact, of(("xy", [(0, 2, "ALL")]))).labels == ("B-ALL", "I-ALL")


def test_what_is_found_of_right_logits_is_the_spans(artifact):
    found = tagged(
        artifact, of(("ann bo x", [(0, 3, "PER"), (4, 6, "PER"), (7, 8, "LOC")]), ("x", []), (" a", [(1, 2, "LOC")]))
    )
    for text, one in enumerate(found.texts):
        logits = np.eye(len(found.labels))[found.numbers[found.firsts[text] : found.firsts[text + 1]]]
        assert found.found(text, logits) == one.gold
    assert found.texts[0].gold == {(0, 3, "PER"), (4, 6, "PER"), (7, 8, "LOC")}


@pytest.mark.parametrize("span", [(0, 2), (1, 3), (4, 5)])
def test_a_span_inside_of_a_token_is_named_by_line(minilm_artifact, span):
    """MiniLM's vocabulary has each of these words as one token."""
    with pytest.raises(FitError) as refused:
        tagged(Artifact.open(minilm_artifact), of(("ann", []), ("ann river", [(*span, "PER")])))
    assert str(refused.value) == (
        f"1 spans begin or end inside of a token of this model: line 2 ({span[0]}..{span[1]})"
    )


def test_a_part_of_a_word_that_is_a_token_may_be_a_span(artifact):
    assert tagged(artifact, of(("ann", [(0, 2, "PER")]))).texts[0].gold == {(0, 2, "PER")}


def test_spans_behind_the_end_are_counted_and_left_out(artifact):
    limit = artifact.manifest.model.max_tokens
    text = "x " * (limit + 10)
    kept, cut = (0, 1, "PER"), (2 * limit, 2 * limit + 1, "PER")
    found = tagged(artifact, of((text, [kept, cut])))
    (one,) = found.texts
    assert (len(one.ids), found.beyond, one.gold) == (limit, 1, {kept})


def test_a_text_without_a_token_is_named_by_line(artifact):
    with pytest.raises(FitError, match=r"^1 rows have no token: line 2$"):
        tagged(artifact, of(("ann", []), ("\u200b", [])))


def test_too_many_tokens_are_refused_with_the_number(artifact, monkeypatch):
    monkeypatch.setattr(module, "MOST_TOKENS", 5)
    with pytest.raises(FitError, match=r"^6 tokens in the first 2 of 3 rows; limit 5$"):
        tagged(artifact, of(("ann", []), ("ann", [(0, 3, "PER")]), ("ann", [])))


def test_one_label_of_all_tokens_is_refused(artifact):
    with pytest.raises(FitError, match="1 labels of tokens; at least 2 are needed"):
        tagged(artifact, of(("x", [(0, 1, "ALL")])))


@pytest.mark.parametrize(
    "splitting", [pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False), pre_tokenizers.Metaspace()]
)
def test_spaces_that_a_vocabulary_counts_to_a_token_are_in_no_span(tmp_path, splitting):
    space = splitting.pre_tokenize_str("a b")[1][0][0]
    words = ["x", "ann", f"{space}x", f"{space}ann", f"{space}bo", "[UNK]"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = splitting
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    model = SimpleNamespace(max_tokens=8, encoder=SimpleNamespace(vocab_size=len(words)))
    artifact = SimpleNamespace(path=lambda name: tmp_path / name, manifest=SimpleNamespace(model=model))
    (one,) = tagged(artifact, of(("x ann bo", [(2, 5, "PER"), (6, 8, "PER")]))).texts
    assert list(one.tokens.offsets[1:]) == [(1, 5), (5, 8)], "the spaces are counted to the tokens"
    assert one.gold == {(1, 5, "PER"), (5, 8, "PER")}, "as TagTokens gives them"
