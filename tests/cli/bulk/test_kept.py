"""Columns of the input beside the vectors: --keep."""

import gzip
import json

import pytest
from tests.cli.bulk.samples import lines, names, refuse, stop_halfway
from tests.client.fake_server import vector_of

from polyseme.cli.bulk.kept import _kinds_of, _type_of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None, 2], "int64"),
        ([1, 0.5], "double"),
        ([True, None], "bool"),
        (["a", "1"], "string"),
        ([None], "string"),
        ([], "string"),
        ([1, "a"], None),
        ([True, 1], None),
        ([["a"]], None),
        ([{"a": 1}, None], None),
        ([(1 << 63) - 1], "int64"),
        ([1 << 63], None),
        ([(1 << 53) + 1, 0.5], None),
    ],
)
def test_a_column_has_the_one_type_that_all_its_values_have(values, expected):
    assert _type_of(set().union(*map(_kinds_of, values))) == expected


@pytest.fixture
def objects(tmp_path):
    entries = [{"id": f"x{n}", "text": f"text {n}", "n": n, "mixed": n if n % 2 else [n]} for n in range(7)]
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress("\n\n".join(map(json.dumps, entries)).encode()))
    return path


def test_fields_go_into_json_lines(embed, fake, objects, tmp_path):
    assert embed("--keep", "id,mixed", given=objects, out="out.jsonl")[0] == 0
    entries = [json.loads(line) for line in lines(tmp_path / "out.jsonl")]
    assert [(entry["row"], entry["text"], entry["id"], entry["mixed"]) for entry in entries] == [
        (n, f"text {n}", f"x{n}", n if n % 2 else [n]) for n in range(7)
    ]
    assert list(entries[0]) == ["row", "text", "id", "mixed", "embedding"]


def test_fields_go_into_parquet_with_their_type(embed, fake, objects, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("polyseme.cli.bulk.parquet._GROUP_BYTES", 100)  # groups of two rows
    monkeypatch.setattr("polyseme.cli.bulk.kept._BATCH_ROWS", 3)
    fake.faults.on_message = refuse("text 3")
    assert embed("--keep", "n,mixed,text,id", "--on-error", "skip", given=objects, out="out.parquet")[0] == 3
    table = parquet.read_table(tmp_path / "out.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["n"], types["mixed"], types["id"]) == ("int64", "string", "string")
    assert [(row["row"], row["n"], row["mixed"], row["text"], row["id"]) for row in table.to_pylist()] == [
        (n, n, str(n if n % 2 else [n]), f"text {n}", f"x{n}") for n in (0, 1, 2, 4, 5, 6)
    ]
    assert table["embedding"].to_pylist()[3] == vector_of("text 4").tolist()


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_columns_of_parquet_are_kept(out, embed, fake, tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    given = tmp_path / "in.parquet"
    parquet.write_table(pa.table({"n": pa.array([3, None], pa.int16()), "text": ["a", "b"]}), given)
    assert embed("--keep", "0", given=given, out=out)[0] == 0
    if out == "out.jsonl":
        assert [json.loads(line)["n"] for line in lines(tmp_path / out)] == [3, None]
    else:
        assert parquet.read_table(tmp_path / out)["n"].equals(pa.chunked_array([pa.array([3, None], pa.int16())]))


@pytest.mark.parametrize(
    ("keep", "out", "message"),
    [
        ("id", "out.npy", "--keep is for .parquet and .jsonl; an array has no columns"),
        ("id,id", "out.jsonl", "--keep names id twice"),
        ("text", "out.jsonl", "--keep text: the output has a text of its own"),
        ("row", "out.parquet", "--keep row: the output has a row of its own"),
        ("id", "out.jsonl", "in.csv has no column id; it has 2: row, text"),
    ],
)
def test_columns_without_a_place_are_refused(keep, out, message, embed, fake, tmp_path):
    pytest.importorskip("pyarrow")
    given = tmp_path / "in.csv"
    header = "row,text" if "no column id" in message or keep == "row" else "id,text"
    given.write_text(f"{header}\n1,a\n")
    code, err = embed("--keep", keep, given=given, out=out)
    assert (code, names(tmp_path)) == (2, ["in.csv", "in.txt"])
    assert message in err


def test_a_run_goes_on_with_what_it_keeps(embed, fake, tmp_path):
    given = tmp_path / "in.tsv"
    given.write_text("id\ttext\n" + "".join(f"{n}\t{text}\n" for n, text in enumerate(["a", "b", "c", "été 🦜"])))
    stop_halfway(embed, fake, "--keep", "id", given=given, out="out.jsonl")
    code, err = embed(given=given, out="out.jsonl")
    assert code == 2
    assert "out.jsonl was begun differently: input keep was ['id'], now None; use --restart" in err
    assert embed("--keep", "id", given=given, out="out.jsonl")[0] == 0
    assert [json.loads(line)["id"] for line in lines(tmp_path / "out.jsonl")] == ["0", "1", "2", "3"]
