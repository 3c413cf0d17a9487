import pytest
from tests.busy import LEFT_OUT, ROOT, Load, files_with_clocks, looks_at_a_clock, main


@pytest.mark.parametrize(
    ("source", "looks"),
    [
        ("time.sleep(0.1)", True),
        ("assert time.monotonic() > began", True),
        ("await asyncio.sleep(0.01)", True),
        ("await asyncio.sleep(0)", False),
        ("call(timeout=0.2)", True),
        ("call(timeout=300)", False),
        ("call(timeout=None)", False),
        ("clock.sleep(1)", False),
    ],
)
def test_a_file_looks_at_a_clock(source, looks):
    assert looks_at_a_clock(source) == looks


def test_files_with_clocks_are_found():
    assert "tests/server/engine/test_watchdog.py" in files_with_clocks()
    assert "tests/server/scheduling/test_callers.py" not in files_with_clocks()


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_what_is_left_out_is_there_and_would_be_found(left_out):
    files = [ROOT / left_out] if left_out.endswith(".py") else (ROOT / left_out).rglob("test_*.py")
    assert any(looks_at_a_clock(file.read_text(encoding="utf-8")) for file in files)
    assert not any(file.startswith(left_out) for file in files_with_clocks())


def test_loops_make_up_what_rounds_lack():
    times = iter([0, 10, 11, 14, 20])
    load = Load(3, clock=lambda: next(times))
    with load.round():
        alone = list(load._loops)
        with load.round():
            beside = list(load._loops)
            assert [loop.poll() for loop in beside] == [None] * 2
        assert len(alone) == len(load._loops) == 3
    assert all(loop.poll() is not None for loop in alone + beside)
    assert load.seconds == {(1, 3): 1 + 6, (2, 2): 3}


def test_files_are_counted_by_runs_and_failed_runs(tmp_path, capsys):
    file = tmp_path / "test_now_and_then.py"
    file.write_text(
        "from pathlib import Path\n\n"
        "def test_every_second_time():\n"
        "    mark = Path(__file__).with_name('ran')\n"
        "    mark.exists() or mark.touch() or exit_with_an_error\n\n"
        "def test_never():\n"
        "    pass\n"
    )
    assert main(["--rounds", "2", "--at-once", "1", "--beside", "1", str(file)]) == 1
    out = capsys.readouterr().out
    assert "round 1: 1 files, 1 tests failed" in out
    assert "round 2: 1 files, 0 tests failed" in out
    assert "test_now_and_then.py | 2 | 1 |" in out
    assert "| 1 files | 2 | 1 |" in out
    assert "| 1 | 1 | 1 |" in out


def test_rounds_run_side_by_side_and_begin_with_different_files(tmp_path, capsys):
    meeting = (
        "import time\nfrom pathlib import Path\n\n"
        "def test_both_are_here(tmp_path):\n"
        "    marks = Path(__file__).parent\n"
        "    (marks / f'{Path(__file__).stem}-{hash(tmp_path)}.mark').touch()\n"
        "    while len(list(marks.glob('*.mark'))) < 2:\n"
        "        time.sleep(0.01)\n"
        "    assert len({mark.name.partition('-')[0] for mark in marks.glob('*.mark')}) == 2\n"
    )
    files = [tmp_path / "test_one.py", tmp_path / "test_two.py"]
    for file in files:
        file.write_text(meeting)
    assert main(["--rounds", "2", "--at-once", "2", "--beside", "1", *map(str, files)]) == 0
    out = capsys.readouterr().out
    assert "| 2 files | 4 | 0 |" in out
    assert "| 2 | 0 | 1 |" in out
