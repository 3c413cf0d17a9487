import pytest
from tests.cli.inputs.reading import content

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.delimited import DelimitedInput
from polyseme.cli.inputs.records import Record


def records(data, *arguments, **options):
    return list(DelimitedInput(content(data), *arguments, **options).records())


def test_a_column_by_name_and_by_index():
    data = b'id,text\r\n1,"a\nb"\r\n\r\n2,c\r\n3\r\n'
    expected = [Record("a\nb", 3), Record("c", 5), Record("", 6, "has 1 fields; --column is field 2")]
    assert records(data, "text") == expected
    assert records(data, "1") == expected
    assert records(data, "1", header=False) == [Record("text", 1), *expected]


def test_columns_are_kept_in_the_order_asked_for():
    table = DelimitedInput(content(b"id,text,place\n1,a,north\n2,b\n"), "text", ("place", "0"))
    assert table.keep == ("place", "id")
    assert list(table.records()) == [
        Record("a", 2, kept=("north", "1")),
        Record("", 3, "has 2 fields; --keep is field 3"),
    ]


def test_a_delimiter_of_ones_own():
    assert records(b"id;text\n1;a, b\n", "text", delimiter=";") == [Record("a, b", 2)]


def test_a_text_that_a_delimiter_cuts_is_a_problem():
    assert records(b"id,text\n1,a, b\n2,c,\n", "text") == [
        Record("", 2, "has 3 fields; the header has 2"),
        Record("c", 3),
    ]


@pytest.mark.parametrize(
    ("data", "column", "header", "message"),
    [
        (b"id,body\n", "text", True, "in has no column text; it has 2: id, body"),
        (
            b"id;text\n",
            "text",
            True,
            "in has no column text; it has 1: id;text; --delimiter says what is between columns",
        ),
        (b"a,b\n", "2", True, "in has no column 2; it has 2: a, b"),
        (b"", "text", True, "in has no column text; it has 0: "),
        (b"secret,b\n", "text", False, "in has no column text; with --no-header a column is a number from 0"),
        (b"text,text,id\n", "text", True, "in has 2 columns text, at 0 and 1; name one by its number"),
        (b'text\n"secret', "text", True, "in line 2 is not CSV: unexpected end of data"),
        (b'text\n"secret"x\n', "text", True, "in line 2 is not CSV: ',' expected after '\"'"),
        (b"text\nab\xff\n", "text", True, "in line 2 is not UTF-8: byte 2"),
    ],
)
def test_what_is_no_such_csv_is_refused(data, column, header, message):
    with pytest.raises(CliError) as error:
        records(data, column, header=header)
    assert str(error.value) == message


def test_many_columns_are_not_all_listed():
    header = ",".join(["x" * 100, *(f"c{number}" for number in range(30))]).encode()
    with pytest.raises(CliError) as error:
        records(header, "text")
    assert str(error.value).startswith(f"in has no column text; it has 31: {'x' * 40}..., c0, c1,")
    assert str(error.value).endswith("c18, ...")
