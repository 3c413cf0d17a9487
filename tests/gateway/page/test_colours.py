"""Contrasts that axe-core does not measure: of words at cosine 1, of tokens under them, of what is selected."""

import re
from importlib.resources import files

import pytest

STYLE = files("polyseme.gateway.page").joinpath("static", "page.css").read_text(encoding="utf-8")
SCHEMES = {
    name: dict(re.findall(r"--(\w+): ([^;]+);", rules))
    for name, rules in zip(("light", "dark"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True)
}


def luminance(colour):
    """WCAG's relative luminance of #rrggbb or of "r, g, b"."""
    channels = bytes.fromhex(colour[1:]) if colour.startswith("#") else [int(part) for part in colour.split(",")]
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("text", "behind", "least"),
    [
        ("text", "ground", 4.5),
        ("text", "close", 4.5),
        ("soft", "ground", 4.5),
        ("wrong", "ground", 4.5),
        ("ground", "accent", 4.5),
        ("edge", "ground", 3),
    ],
)
def test_text_stands_out(scheme, text, behind, least):
    colours = SCHEMES[scheme]
    assert contrast(colours[text], colours[behind]) >= least


def test_contrast_is_that_of_wcag():
    assert contrast("#ffffff", "0, 0, 0") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert "#words .word::selection { color: var(--ground); background: var(--accent); }" in STYLE
