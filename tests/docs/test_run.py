"""The runner of the pages' blocks, over a Makefile that only says that it serves."""

import os

import pytest
from docs.blocks import blocks
from docs.run import run_page, skipped

MAKEFILE = "serve:\n\t@echo ' serving ' >&2; exec sleep 300\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "Makefile").write_text(MAKEFILE)

    def run(text):
        page = tmp_path / "page.md"
        page.write_text(text)
        return run_page(page, tmp_path, dict(os.environ))

    return run


def test_blocks_run_in_order_and_share_a_shell(run, tmp_path):
    assert run("```sh\nexport A=1\n```\nand\n```sh\necho $A > a\n```\n```python\nx = open('a').read()\n```\n")
    assert (tmp_path / "a").read_text() == "1\n"


def test_programs_that_follow_each_other_share_names(run):
    assert run("```python\nx = 1\n```\n```text\n1\n```\n```python\nassert x == 1\n```\n")


def test_a_block_that_fails_is_named(run, capsys):
    assert not run("one\n```sh\ntrue\n```\n```sh\nfalse\n```\n")
    assert "page.md:6\n" in capsys.readouterr().out


def test_a_program_that_fails_is_named_by_the_line_of_the_page(run, capsys):
    assert not run("one\ntwo\n```python\n1 / 0\n```\n")
    printed = capsys.readouterr().out
    assert ", line 4, in <module>" in printed


def test_what_the_documented_server_is_called_is_replaced(run, tmp_path):
    assert run("```sh\necho localhost:50051 $POLYSEME_TARGET > target\n```\n")
    first, second = (tmp_path / "target").read_text().split()
    assert first == second != "localhost:50051"


def test_a_line_that_serves_is_waited_for(run, tmp_path):
    assert run("```sh\nA=b make serve\ntest -s server.log\n```\n")
    assert (tmp_path / "server.log").read_text().startswith(" serving \n")


def test_blocks_that_are_not_run_say_why(tmp_path):
    page = tmp_path / "page.md"
    marks = ["<!-- not run: a reason -->", "<!-- needs: no-such-program -->", ""]
    page.write_text("".join(f"{mark}\n```sh\nfalse\n```\n" for mark in marks))
    reasons = [skipped(block, os.environ["PATH"]) for block in blocks(page)]
    assert reasons == ["a reason", "no-such-program is not on this machine", ""]
