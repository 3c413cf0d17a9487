"""Open the bytes of an input: a file, gzip of one, a pipe, stdin. Refuse by name what is no UTF-8 text."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from polyseme.cli.errors import CliError
from polyseme.cli.inputs.formats import GZIP

READ_ERRORS: Final = (OSError, EOFError, zlib.error)
"""The errors of reading, of gzip that is damaged too."""
_BLOCK_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 4096
_GZIP_MAGIC: Final = b"\x1f\x8b"
_SIGNATURES: Final = (
    (b"PK\x03\x04", "a zip archive (as .xlsx is)"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PAR1\x15", "Parquet: --format parquet reads it"),
    (b"\x93NUMPY", "an array of numpy"),
    (b"SQLite format 3\0", "an SQLite database"),
)
_ENCODINGS: Final = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of an input, unpacked; can be read again and again.

    Attributes:
        name: name in messages.
        file: the bytes.
        sha256: hash of the bytes.
        lines: number of their lines.
        stat: size and time of the file when it was opened; None: it is no file.
    """

    name: str
    file: IO[bytes]
    sha256: str
    lines: int
    stat: os.stat_result | None

    def check_unchanged(self) -> None:
        """Check that nobody wrote to the file while it was read.

        Raises:
            CliError: somebody did.
        """
        if self.stat is None:
            return
        now = os.fstat(self.file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns):
            raise CliError(f"{self.name} changed while it was read; use --restart", 2)


@contextmanager
def open_content(source: str, *, is_text: bool) -> Iterator[Content]:
    """Open an input, and read it through once for its hash.

    Args:
        source: path of a file; "-": stdin. What is no regular file is read into memory.
        is_text: whether it must be text; else its reader says what is wrong with it.

    Raises:
        CliError: it cannot be read, or is no UTF-8 text.
    """
    name = "stdin" if source == "-" else source
    try:
        raw = _opened(source)
    except OSError as error:
        raise CliError(f"cannot read {name}: {error.strerror}", 2) from error
    with raw:
        stat = None if isinstance(raw, io.BytesIO) else os.fstat(raw.fileno())
        try:
            file = _unpacked(raw, name)
            if is_text:
                _check_encoding(name, _head_of(file))
            sha256, lines = _read_through(file)
        except READ_ERRORS as error:
            raise unreadable(name, error) from error
        yield Content(name=name, file=file, sha256=sha256, lines=lines, stat=stat)


def unreadable(name: str, error: BaseException) -> CliError:
    """Make the error of a file that broke off while it was read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else None
    return CliError(f"cannot read {name}: {reason or 'its gzip is cut off or damaged'}", 2)


def _opened(source: str) -> IO[bytes]:
    if source == "-":
        return io.BytesIO(sys.stdin.buffer.read())
    path = Path(source)
    return path.open("rb") if path.is_file() or not path.exists() else io.BytesIO(path.read_bytes())


def _unpacked(raw: IO[bytes], name: str) -> IO[bytes]:
    is_gzip = _head_of(raw).startswith(_GZIP_MAGIC)
    if not name.lower().endswith(GZIP):
        if is_gzip:
            hint = "unpack it before the pipe" if name == "stdin" else f"only a name that ends in {GZIP} is unpacked"
            raise CliError(f"{name} is gzip; {hint}", 2)
        return raw
    if not is_gzip:
        raise CliError(f"{name} is no gzip", 2)
    return io.BufferedReader(gzip.GzipFile(fileobj=raw))  # type: ignore[type-var, arg-type, unused-ignore]


def _check_encoding(name: str, head: bytes) -> None:
    """Refuse other encodings than UTF-8, and files that are no text.

    Raises:
        CliError: the first bytes are of such a file.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            raise CliError(f"{name} is {kind}, not text", 2)
    encoding = next((encoding for mark, encoding in _ENCODINGS if head.startswith(mark)), None)
    even, odd = head[::2].count(0), head[1::2].count(0)
    if encoding is None and max(even, odd) > len(head) // 4 and not min(even, odd):  # ASCII in two bytes
        encoding = "UTF-16"
    if encoding is not None:
        raise CliError(f"{name} is {encoding}; texts are UTF-8: iconv -f {encoding} -t UTF-8", 2)


def _head_of(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    return head


def _read_through(file: IO[bytes]) -> tuple[str, int]:
    """Compute the SHA-256 and count the lines; go back to the beginning."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
        lines, last = lines + block.count(b"\n"), block[-1:]
    file.seek(0)
    return digest.hexdigest(), lines + (last != b"\n")
