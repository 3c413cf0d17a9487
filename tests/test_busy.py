import pytest
from tests.busy import files_with_clocks, looks_at_a_clock, main


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
    assert main(["--rounds", "2", "--loops", "1", str(file)]) == 1
    out = capsys.readouterr().out
    assert "round 1: 1 files, 1 tests failed" in out
    assert "round 2: 1 files, 0 tests failed" in out
    assert "test_now_and_then.py | 2 | 1 |" in out
    assert "| 1 files | 2 | 1 |" in out
