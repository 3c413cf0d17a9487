import numpy as np
import pytest

from polyseme.runtime.heads.entities import Aggregation, Entity, entities, group_of, groups, merged
from polyseme.runtime.text.inputs import TokenizedInput

TEXT = "Ann Bo at microsoft"
TOKENS = [("[CLS]", 0, 0, -1), ("Ann", 0, 3, 0), ("Bo", 4, 6, 1), ("at", 7, 9, 2), ("micro", 10, 15, 3),
          ("##soft", 15, 19, 3), ("[SEP]", 0, 0, -1)]  # fmt: skip


def tokenized(tokens=TOKENS):
    return TokenizedInput(
        ids=np.arange(len(tokens), dtype=np.int32),
        types=np.zeros(len(tokens), dtype=bool),
        texts=[-1 if word < 0 else 0 for *_, word in tokens],
        tokens=[token for token, *_ in tokens],
        offsets=[(start, end) for _, start, end, _ in tokens],
        word_ids=[word for *_, word in tokens],
    )


def found(told, labels, aggregation=Aggregation.SIMPLE, *, sure=0.9, unknown=frozenset()):
    """The texts and labels of what is found where each token but the special ones has a label."""
    rows = np.full((len(TOKENS), len(labels)), (1 - sure) / (len(labels) - 1), dtype=np.float32)
    for row, label in zip(rows, ["O", *told, "O"], strict=True):
        row[labels.index(label)] = sure
    every = entities(
        TEXT, tokenized(), range(len(TOKENS)), rows, labels, aggregation, marks_subwords=True, unknown_ids=unknown
    )
    return [(TEXT[one.start : one.end], labels[one.label]) for one in every]


@pytest.mark.parametrize(
    ("told", "want"),
    [
        (["B-P", "I-P", "O", "O", "O"], ["Ann Bo"]),
        (["B-P", "B-P", "O", "O", "O"], ["Ann", "Bo"]),
        (["I-P", "I-P", "I-P", "O", "O"], ["Ann Bo at"]),
        (["B-P", "E-P", "I-P", "O", "O"], ["Ann Bo", "at"]),
        (["B-P", "L-P", "U-P", "O", "O"], ["Ann Bo", "at"]),
        (["S-P", "S-P", "I-P", "O", "O"], ["Ann", "Bo", "at"]),
        (["B-P", "I-L", "O", "O", "O"], ["Ann", "Bo"]),
        (["P", "P", "O", "O", "O"], ["Ann Bo"]),
        (["O", "O", "O", "O", "O"], []),
        (["O", "O", "O", "O", "B-P"], ["soft"]),
    ],
)
def test_schemes_say_where_entities_begin_and_end(told, want):
    labels = list(dict.fromkeys(["O", *told, "I-P"]))
    assert [text for text, _ in found(told, labels)] == want


def test_words_have_one_label():
    labels = ["O", "B-P", "B-L"]
    told = ["O", "O", "O", "B-P", "B-L"]
    assert found(told, labels, Aggregation.FIRST) == [("microsoft", "B-P")]
    assert found(told, labels, Aggregation.NONE) == [("micro", "B-P"), ("soft", "B-L")]
    assert found(told, labels, Aggregation.MAX) == [("microsoft", "B-P")]


def test_the_surest_and_the_mean_may_differ_from_the_first():
    labels, tokens = ["O", "P", "L"], tokenized([("micro", 10, 15, 3), ("##soft", 15, 19, 3)])
    scores = np.array([[0.1, 0.5, 0.4], [0.0, 0.1, 0.9]], dtype=np.float32)
    for aggregation, label, score in (
        (Aggregation.FIRST, 1, 0.5), (Aggregation.MAX, 2, 0.9), (Aggregation.AVERAGE, 2, 0.65),
    ):  # fmt: skip
        (one,) = entities(
            TEXT, tokens, [0, 1], scores, labels, aggregation, marks_subwords=True, unknown_ids=frozenset()
        )
        assert (one.label, one.tokens) == (label, (0, 1))
        assert one.score == pytest.approx(score)


def test_an_unknown_token_is_a_word_of_its_own():
    assert found(["O", "O", "O", "P", "P"], ["O", "P"], Aggregation.FIRST, unknown=frozenset({5})) == [
        ("microsoft", "P")
    ]
    assert len(found(["O", "O", "O", "P", "O"], ["O", "P"], Aggregation.FIRST, unknown=frozenset({5}))) == 1


def test_without_marks_a_space_begins_a_word():
    tokens = tokenized([("micro", 10, 15, 3), ("soft", 15, 19, 3), ("at", 7, 9, 2)])
    scores = np.array([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9]], dtype=np.float32)
    every = entities(
        TEXT, tokens, [0, 1, 2], scores, ["O", "P"], Aggregation.FIRST, marks_subwords=False, unknown_ids=frozenset()
    )
    assert [one.tokens for one in every] == [(0, 1, 2)]


def test_the_kinds_of_entities_have_no_prefixes():
    assert groups(["O", "B-PER", "I-PER", "S-LOC", "B-", "x-y"]) == ["PER", "LOC", "B-", "x-y"]
    assert group_of("O") == "O"


def entity(start, end, score):
    return Entity(start=start, end=end, label=1, score=score, tokens=())


def test_of_overlapping_windows_the_longest_and_then_the_surest_is_kept():
    long, short, sure, other = entity(0, 5, 0.2), entity(0, 3, 0.9), entity(0, 5, 0.3), entity(5, 6, 0.1)
    assert merged([short, long, other]) == [long, other]
    assert merged([sure, long]) == [sure]
    assert merged([]) == []


def test_a_token_without_characters_is_found_once():
    bare, sure, long = entity(3, 3, 0.2), entity(3, 3, 0.3), entity(4, 6, 0.1)
    assert merged([bare, long, sure, long]) == [sure, long]
