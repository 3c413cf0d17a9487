import argparse

import pytest

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.input_file import open_input, records_from
from polyseme.cli.inputs.pairs import with_second
from polyseme.cli.inputs.records import Record

FILES = {
    "a.jsonl": '{"text": "a", "id": "1", "claim": "b"}\n{"text": "c", "id": "2", "claim": "d"}\n',
    "a.json": '[{"text": "a", "id": "1", "claim": "b"}, {"text": "c", "id": "2", "claim": "d"}]',
    "a.csv": "text,id,claim\na,1,b\nc,2,d\n",
    "a.tsv": "claim\tid\ttext\nb\t1\ta\nd\t2\tc\n",
}


def arguments(path, **options):
    return argparse.Namespace(texts=[], input=str(path), **options)


@pytest.mark.parametrize("name", FILES)
def test_each_format_has_pairs(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    records, keep = records_from(arguments(path, second_from="claim", keep=("id",)))
    assert [(one.text, one.second, one.kept) for one in records] == [("a", "b", ("1",)), ("c", "d", ("2",))]
    assert keep == ("id",)


def test_parquet_has_pairs(tmp_path):
    parquet, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["a", "c"], "claim": ["b", "d"], "id": [1, 2]}), path)
    records, _ = records_from(arguments(path, second_from="claim", keep=("id",)))
    assert [(one.text, one.second, one.kept) for one in records] == [("a", "b", (1,)), ("c", "d", (2,))]


def test_another_second_column_is_another_input(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(FILES["a.csv"])
    identities = []
    for options in ({}, {"second_from": "claim"}, {"second_from": "id"}):
        with open_input(arguments(path, **options), str(path)) as opened:
            identities.append(opened.identity)
    assert [identity.get("second") for identity in identities] == [None, "claim", "id"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "text,id\na,1\n", "has no column claim; it has 2: text, id"),
        ("a.jsonl", '{"text": "a"}\n', "line 1 has no field claim"),
        ("a.jsonl", '{"text": "a", "claim": 7}\n', "line 1 field or column claim is not a string"),
        ("a.txt", "a\n", "--second-from is for jsonl and json"),
    ],
)
def test_what_has_no_pairs_is_refused(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(CliError) as caught:
        records_from(arguments(path, second_from="claim"))
    assert words in str(caught.value)


def test_what_cannot_be_read_stays_so():
    records = [Record("", 2, "is not JSON")]
    assert list(with_second(iter(records), "claim")) == records
