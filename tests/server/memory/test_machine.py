import mmap
import os

import pytest

from polyseme.server.memory import machine

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"memory.max": "1000\n"}, 1000),  # as a container sees it
        ("0::/a/b\n", {"memory.max": "max\n", "a/memory.max": "700\n", "a/b/memory.max": "900\n"}, 700),
        ("0::/not/seen/here\n", {"memory.max": "800\n"}, 800),
        ("4:memory:/a\n2:cpu:/a\n", {"memory/a/memory.limit_in_bytes": "600\n"}, 600),
        ("4:memory:/a\n", {"memory/memory.limit_in_bytes": f"{1 << 62}\n"}, MACHINE),
        ("0::/\n", {"memory.max": "max\n"}, MACHINE),
        ("0::/\n", {}, MACHINE),
        ("", {}, MACHINE),
    ],
)
def test_the_least_limit_of_the_control_groups_counts(tmp_path, own, files, expected):
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    assert machine.available_bytes(tmp_path / "groups", tmp_path / "own") == expected


@pytest.mark.parametrize(("setting", "expected"), [("512MiB", 512 << 20), ("4GiB", 4 << 30)])
def test_a_limit_is_as_it_is_set(setting, expected):
    assert machine.memory_limit(setting) == expected


def test_three_quarters_of_what_there_is_are_taken_otherwise():
    assert machine.memory_limit("auto") == machine.available_bytes() * 3 // 4


def test_memory_that_is_written_is_resident():
    before = machine.resident_bytes()
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # what malloc gives may have been written before
    with mmap.mmap(-1, 64 << 20, flags=private) as held:
        held.write(b"x" * len(held))
        assert machine.resident_bytes() - before > 32 << 20


def test_trim_gives_back_what_was_freed():
    blocks = [bytearray(b"x" * 60_000) for _ in range(2000)]  # smaller than what is mapped by itself
    keep = blocks[-1]
    before = machine.resident_bytes()
    del blocks
    machine.trim()
    assert before - machine.resident_bytes() > 60 << 20
    assert keep


@pytest.mark.parametrize(("limit", "expected"), [(64 << 30, 1024), (2 << 30, 64), (512 << 20, 16), (1 << 20, 1)])
def test_connections_leave_half_of_the_memory(limit, expected):
    assert machine.connections_within(limit, 16 << 20) == expected
