import datetime
import decimal
import io

import pytest

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

from tests.cli.inputs.reading import content  # noqa: E402

from polyseme.cli.errors import CliError  # noqa: E402
from polyseme.cli.inputs.parquet import ParquetInput  # noqa: E402
from polyseme.cli.inputs.records import Record  # noqa: E402

COLUMNS = {
    "text": ["a", None],
    "id": pa.array([1, None], pa.int32()),
    "score": [0.5, float("nan")],
    "at": pa.array([datetime.datetime(2026, 11, 27, 1, 2, 3)] * 2, pa.timestamp("ns")),
    "price": [decimal.Decimal("1.10")] * 2,
    "kind": pa.array(["x", "y"]).dictionary_encode(),
    "tags": [["x"], []],
}


def opened(columns, *arguments, names=None):
    file = io.BytesIO()
    parquet.write_table(pa.table(list(columns.values()), names=names or list(columns)), file)
    return ParquetInput(content(file.getvalue()), *arguments)


def test_columns_are_kept_as_json_has_them():
    table = opened(COLUMNS, "text", ("score", "id", "at", "price", "kind"))
    assert list(table.records()) == [
        Record("a", 1, None, (0.5, 1, "2026-11-27 01:02:03.000000000", "1.10", "x")),
        Record("", 2, "is null", (None, None, "2026-11-27 01:02:03.000000000", "1.10", "y")),
    ]
    table.check_json()


def test_columns_are_kept_as_they_are():
    table = opened(COLUMNS, "0", ("at", "tags"))
    assert [str(field.type) for field in table.kept_schema()] == ["timestamp[ns]", "list<element: string>"]
    [batch] = table.kept_batches()
    assert batch.column(1).to_pylist() == [["x"], []]
    with pytest.raises(CliError, match=r"--keep tags: the column is list<element: string>, which goes into \.parquet"):
        table.check_json()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("body", "in has no column body; it has 7: text, id, score, at, price, kind, tags"),
        ("7", "in has no column 7; it has 7: text"),
        ("id", "in column id is int32, not string"),
    ],
)
def test_what_is_no_column_of_texts_is_refused(column, message):
    with pytest.raises(CliError) as error:
        opened(COLUMNS, column)
    assert str(error.value).startswith(message)


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(CliError, match="in has 2 columns text"):
        opened({"a": ["x"], "b": ["y"]}, "text", names=["text", "text"])
