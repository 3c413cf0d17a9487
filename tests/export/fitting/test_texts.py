import pytest

from polyseme.export.fitting import texts as limits
from polyseme.export.fitting.texts import FitError, labelled


def rows(**counts):
    names = [name for name, count in counts.items() for _ in range(count)]
    return [f"text {number}" for number in range(len(names))], names, [f"line {n}" for n in range(2, len(names) + 2)]


def test_classes_are_sorted_and_labels_are_their_numbers():
    found = labelled(*rows(dog=10, cat=11))
    assert (found.classes, len(found)) == (("cat", "dog"), 21)
    assert found.labels.tolist() == [1] * 10 + [0] * 11


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"dog": 30}, "1 classes; limits 2..1000"),
        ({}, "0 classes"),
        ({"dog": 30, "cat": 9}, "1 of 2 classes have fewer than 10 different texts: 'cat' has 9"),
        ({"dog": 1, "cat": 9}, "2 of 2 classes have fewer than 10 different texts: 'cat' has 9, 'dog' has 1"),
        ({f"c{n}": 1 for n in range(1001)}, "1001 classes; limits 2..1000"),
    ],
)
def test_too_few_or_too_many_are_refused_with_the_number(counts, said):
    with pytest.raises(FitError, match=said):
        labelled(*rows(**counts))


def test_a_text_that_stands_often_counts_once():
    texts, names, places = rows(dog=30, cat=11)
    texts[:22] = ["again"] * 22
    with pytest.raises(FitError, match="1 of 2 classes have fewer than 10 different texts: 'dog' has 9"):
        labelled(texts, names, places)


def test_a_million_rows_are_refused_with_the_number():
    with pytest.raises(FitError, match="1000000 rows; limit 200000"):
        labelled(["a"] * 1_000_000, ["b"] * 1_000_000, ["c"] * 1_000_000)


@pytest.mark.parametrize("what", ["text", "label"])
def test_what_is_missing_is_named_by_line(what):
    texts, names, places = rows(dog=10, cat=11)
    for number in (0, 3, 5, 7, 9, 11):
        (texts if what == "text" else names)[number] = " \t"
    with pytest.raises(FitError) as refused:
        labelled(texts, names, places)
    assert str(refused.value) == f"6 rows have no {what}: line 2, line 5, line 7, line 9, line 11, ..."


def test_every_limit_can_be_met():
    assert len(labelled(*rows(dog=limits.LEAST_ROWS, cat=limits.LEAST_ROWS))) == 20


@pytest.mark.parametrize("label", ["good\nbad", "\x1b[31mred", "\u202eleft", "a" * 257])
def test_a_label_that_no_artifact_may_have_is_named_by_line_before_anything_is_computed(label):
    texts, names, places = rows(dog=10, cat=11)
    with pytest.raises(FitError) as refused:
        labelled(texts, [label if name == "dog" else name for name in names], places)
    assert str(refused.value).startswith("10 rows have a label that is not one line of 1 to 256 characters: line 2,")
    assert label not in str(refused.value)
