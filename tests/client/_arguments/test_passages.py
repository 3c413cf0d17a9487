import pytest

from polyseme.client import InvalidArgumentError
from polyseme.client._arguments.passages import spans_of

DOCUMENT = "One bank. One river.\n\nOne bank. The end."


def spans(passages):
    return [span for _, span in spans_of(DOCUMENT, passages, "passages")]


@pytest.mark.parametrize(
    ("passages", "expected"),
    [
        ([(0, 9), (10, 20)], [(0, 9), (10, 20)]),
        (([10, 20], (0, 9)), [(10, 20), (0, 9)]),
        (["One bank.", "One river.", "One bank."], [(0, 9), (10, 20), (22, 31)]),
        (iter(["One bank.", "One bank."]), [(0, 9), (22, 31)]),
        (["One bank. One river.", "One river.\n\nOne"], [(0, 20), (10, 25)]),
        (["One bank.", (10, 20), "One bank."], [(0, 9), (10, 20), (22, 31)]),
        (lambda text: text.split("\n"), [(0, 20), (22, 40)]),
        (lambda _: [(0, 9), (20, 22), "One bank."], [(0, 9), (22, 31)]),
        ([], []),
        (lambda _: [], []),
    ],
)
def test_passages_are_offsets_or_strings_in_order_or_split(passages, expected):
    assert spans(passages) == expected


@pytest.mark.parametrize(
    ("passages", "field", "said"),
    [
        ("One bank.", "passages", "got str"),
        ({(0, 1)}, "passages", "got set"),
        (3, "passages", "got int"),
        (lambda _: "One bank.", "passages", "got str"),
        ([(0, 9), 3], "passages[1]", "must be (start, end), got int"),
        ([(9, 9)], "passages[0]", "the end must be greater"),
        ([(0, 41)], "passages[0]", "ends at 41; the document has 40 code points"),
        ([(0, 9), (20, 22)], "passages[1]", "nothing but white space"),
        ([""], "passages[0]", "is empty"),
        (["One river.", "One  bank."], "passages[1]", "is not in the document from code point 10 on"),
        (["The end.", "One river."], "passages[1]", "is not in the document from code point 32 on"),
    ],
)
def test_other_passages_are_refused_by_index_without_their_text(passages, field, said):
    with pytest.raises(InvalidArgumentError) as refused:
        spans(passages)
    assert refused.value.field == field
    assert said in str(refused.value)
    assert "bank" not in str(refused.value)
