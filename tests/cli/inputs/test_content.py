import gzip
import io
import os
import sys

import pytest

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.content import open_content


def read(path):
    with open_content(str(path), is_text=True) as content:
        return content.file.read()


def test_gzip_is_unpacked_by_its_suffix(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.GZ"
    plain.write_bytes(b"a\nb")
    packed.write_bytes(gzip.compress(b"a\nb"))
    with open_content(str(plain), is_text=True) as one, open_content(str(packed), is_text=True) as other:
        assert (one.sha256, one.lines) == (other.sha256, other.lines)
        assert one.file.read() == other.file.read() == b"a\nb"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", gzip.compress(b"a", mtime=0), "is gzip; only a name that ends in .gz is unpacked"),
        ("a.gz", b"a", "is no gzip"),
        ("a.txt", "a\n".encode("utf-16"), "is UTF-16; texts are UTF-8: iconv -f UTF-16 -t UTF-8"),
        ("a.txt", "a bank\n".encode("utf-16-be"), "is UTF-16; texts are UTF-8: iconv -f UTF-16 -t UTF-8"),
        ("a.txt", "a\n".encode("utf-32"), "is UTF-32; texts are UTF-8: iconv -f UTF-32 -t UTF-8"),
        (
            "a.txt.gz",
            gzip.compress("a\n".encode("utf-16"), mtime=0),
            "is UTF-16; texts are UTF-8: iconv -f UTF-16 -t UTF-8",
        ),
        ("a.csv", b"PK\x03\x04", "is a zip archive (as .xlsx is), not text"),
        ("a.csv", b"PAR1\x15\x04", "is Parquet: --format parquet reads it, not text"),
    ],
)
def test_what_is_no_utf_8_text_is_refused_by_name(name, data, reason, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CliError) as error:
        read(path)
    assert (str(error.value), error.value.exit_code) == (f"{path} {reason}", 2)


def test_zero_characters_are_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\0b\0\0c\n")
    assert read(tmp_path / "a.txt") == b"a\0b\0\0c\n"


@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: data[:12] + b"\0\0\0\0" + data[16:]])
def test_gzip_that_is_damaged_is_one_line(harm, tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(harm(gzip.compress(os.urandom(100))))
    with pytest.raises(CliError, match=r"cannot read .*a\.gz: its gzip is cut off or damaged"):
        read(path)


def test_gzip_on_stdin_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"a"))))
    with pytest.raises(CliError, match="stdin is gzip; unpack it before the pipe"):
        read("-")


def test_a_file_that_changes_is_told(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a"))
    with open_content(str(path), is_text=True) as content:
        content.check_unchanged()
        path.write_bytes(gzip.compress(b"abc"))
        with pytest.raises(CliError, match="changed while it was read"):
            content.check_unchanged()
