import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyseme.client import InvalidArgumentError
from polyseme.client._arguments.texts import as_list, utf8_sizes


def test_as_list_takes_one_str_as_one_text():
    assert as_list("abc") == (["abc"], True)


@pytest.mark.parametrize("texts", [["a", "b"], ("a", "b"), iter(["a", "b"]), {1: "a", 2: "b"}.values()])
def test_as_list_takes_any_iterable(texts):
    assert as_list(texts) == (["a", "b"], False)


@pytest.mark.parametrize("texts", [b"abc", None, 3])
def test_as_list_refuses(texts):
    with pytest.raises(InvalidArgumentError, match=r"^a "):
        as_list(texts, "a")


@pytest.mark.parametrize("texts", [{"a"}, frozenset("a"), {"a": 1}, {"a": 1}.keys()])
def test_as_list_refuses_what_has_no_order(texts):
    with pytest.raises(InvalidArgumentError, match=r"^b is a \w+, which has no order; pass a list$"):
        as_list(texts, "b")


class Table:
    """A table as pandas, polars and pyarrow have them: iterating gives the names of its columns, or the columns."""

    columns = ("title", "body")

    def __iter__(self):
        return iter(self.columns)


def test_as_list_refuses_a_table_whose_column_names_look_like_texts():
    with pytest.raises(
        InvalidArgumentError, match=r"^b is a Table, a table; pass one column of it, as in df\['column'\]$"
    ):
        as_list(Table(), "b")


def test_as_list_refuses_tables_of_arrow():
    with pytest.raises(InvalidArgumentError, match=r"^texts is a Table, a table"):
        as_list(pyarrow.table({"title": ["a"]}))


def test_as_list_takes_arrays_and_no_text():
    assert as_list(np.array(["a", "b"])) == (["a", "b"], False)
    assert as_list([]) == as_list(np.array([], dtype=np.str_)) == ([], False)


def test_as_list_refuses_an_array_without_an_axis():
    with pytest.raises(
        InvalidArgumentError, match=r"^texts must be a str or a sequence of str, got ndarray without an axis$"
    ):
        as_list(np.array("a"))


@given(st.lists(st.text()))
def test_utf8_sizes_counts_bytes(texts):
    assert utf8_sizes(texts) == [len(text.encode()) for text in texts]


@pytest.mark.parametrize("bad", [None, 3, b"abc", ["a"]])
def test_utf8_sizes_refuses_what_is_no_str(bad):
    with pytest.raises(InvalidArgumentError, match=r"^texts\[1\] must be str, got "):
        utf8_sizes(["a", bad])


@given(st.text(), st.text(), st.characters(categories=["Cs"]))
def test_utf8_sizes_refuses_lone_surrogates_and_keeps_the_text_to_itself(before, after, surrogate):
    with pytest.raises(InvalidArgumentError) as caught:
        utf8_sizes(["a", "b", before + surrogate + after])
    expected = f"texts[2] has a lone surrogate at position {len(before)}; it cannot be sent as UTF-8"
    assert str(caught.value) == expected
    assert caught.value.__context__ is None
