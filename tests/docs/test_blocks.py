"""Every block of the pages says what it is; `make test-docs` runs those that run."""

import json
import re

import pytest
from docs.blocks import ROOT, RUN, blocks, pages

EXCERPTS = {"go": "*.go", "js": "*.js", "java": "src/**/*.java"}
FOLDERS = {"go": "go", "js": "node", "java": "java"}
BLOCKS = [block for page in pages() for block in blocks(page)]


def of(*languages):
    return [
        pytest.param(block, id=block.place) for block in BLOCKS if block.language in languages and not block.not_run
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_block_is_found(page):
    assert 2 * len(blocks(page)) == len(re.findall(r"^```", page.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_block_says_its_language():
    known = {*RUN, *EXCERPTS, "text", "json", "dockerfile"}
    assert [block.place for block in BLOCKS if block.language not in known] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_mark_is_one_of_a_block_that_would_run(page):
    marks = page.read_text(encoding="utf-8").count("<!-- not run") + page.read_text(encoding="utf-8").count(
        "<!-- needs"
    )
    marked = [block for block in blocks(page) if block.not_run or block.needs]
    assert len(marked) == marks
    assert {block.language for block in marked} <= set(RUN)


@pytest.mark.parametrize("block", of(*EXCERPTS))
def test_excerpts_stand_in_the_examples(block):
    files = (ROOT / "examples" / FOLDERS[block.language]).glob(EXCERPTS[block.language])
    source = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line for line in block.text.splitlines() if line.strip() not in source] == []


@pytest.mark.parametrize("block", of("json"))
def test_json_can_be_read(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", of("python"))
def test_programs_that_run_compile(block):
    compile(block.text, block.place, "exec")
