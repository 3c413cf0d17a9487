"""The figures of docs/beyond-one-machine.md are those of bench/results."""

import re

import pytest
from docs.blocks import ROOT, blocks

PAGE = ROOT / "docs/beyond-one-machine.md"
RESULTS = ROOT / "bench/results"
PROGRAM, OUTPUT = next(
    (block.text, after.text)
    for block, after in zip(blocks(PAGE), blocks(PAGE)[1:], strict=False)
    if block.language == "python"
)


def test_the_program_prints_what_the_page_says(capsys):
    exec(PROGRAM, {})
    assert capsys.readouterr().out == OUTPUT


@pytest.mark.parametrize(
    ("file", "row", "places"),
    [
        ("serving.md", r"served +│ +([\d.]+)", slice(0, 1)),
        ("gpu.md", r"^\|one stream\|([\d,]+)\|", slice(1, 3)),
    ],
)
def test_rates_are_measured(file, row, places):
    shown = [float(rate.replace("_", "")) for rate in re.findall(r'": ([\d._]+),', PROGRAM)][places]
    measured = re.findall(row, (RESULTS / file).read_text(), re.MULTILINE)
    assert shown == [float(rate.replace(",", "")) for rate in measured][-len(shown) :]  # of the last run


def test_the_price_of_ray_is_measured():
    (row,) = re.findall(r"^Ray, 2 workers .*", (RESULTS / "on-ray.md").read_text(), re.MULTILINE)
    ratio, least, most = re.search(r"([\d.]+) +([\d.]+)\.\.([\d.]+)$", row).groups()
    assert f"{ratio} of the rate of one process ({least} to {most})" in PAGE.read_text()
