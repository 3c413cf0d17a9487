"""The files: text that is text, one piece, the same bytes each time."""

import html.parser
import xml.etree.ElementTree as ET

import matplotlib.image
import pytest
from tests.cli.samples import HOSTILE, senses

from polyseme.cli.errors import CliError
from polyseme.cli.senses.picture import draw

SVG = "{http://www.w3.org/2000/svg}"


def test_png_is_large_enough_to_print(tmp_path):
    draw(senses(2, states=3), tmp_path / "x.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "x.png").shape
    assert width == 13 * 200
    assert height > 1000


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_the_same_senses_are_the_same_bytes(tmp_path, ending):
    for name in ("a", "b"):
        draw(senses(3, states=3, text=HOSTILE), tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_text_of_an_svg_is_text_and_neither_markup_nor_mathematics(tmp_path):
    draw(senses(3, text=HOSTILE), tmp_path / "x.svg")
    root = ET.parse(tmp_path / "x.svg").getroot()
    texts = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    before = [text for text in texts if text.startswith("$x^2$ <b>&amp; ")]
    assert len(before) == 3, "the sentences; labels are shorter"
    assert texts.count(" \\frac{1}{2} □ □ □ $") == 3
    assert "“bank” in 3 places: tiny, layer 6" in texts
    assert not list(root.iter(f"{SVG}b"))


def test_viewers_without_the_font_take_one_that_is_about_as_wide(tmp_path):
    draw(senses(3, states=3, text='<text style="font-family: bank"'), tmp_path / "x.svg")
    root = ET.parse(tmp_path / "x.svg").getroot()
    styles = {node.get("style", "") for node in root.iter(f"{SVG}text")}
    assert styles
    assert all("'DejaVu Sans'" in style and ", Verdana, sans-serif" in style for style in styles)
    texts = ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
    assert not any("Verdana" in text for text in texts), "the sentences stay as they are"


class Page(html.parser.HTMLParser):
    """Lines of the list, their bold parts, and every address."""

    def __init__(self, content):
        super().__init__()
        self.lines, self.bold, self.addresses, self.tags, self._open = [], [], [], [], []
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self._open.append(tag)
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name.split(":")[-1] in ("href", "src", "resource")]
        if tag == "li":
            self.lines.append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "li" in self._open:
            self.lines[-1] += data
        if self._open[-1:] == ["b"]:
            self.bold.append(data)


def test_a_page_has_the_sentences_as_they_are(tmp_path):
    draw(senses(3, states=3, text=HOSTILE), tmp_path / "x.html")
    page = Page((tmp_path / "x.html").read_text(encoding="utf-8"))
    assert page.lines == [HOSTILE.replace("\u200d", " ")] * 3
    assert page.bold == ["bank"] * 3
    assert page.tags.count("b") == 3


def test_a_page_is_in_one_piece(tmp_path):
    draw(senses(3, states=3), tmp_path / "x.html")
    content = (tmp_path / "x.html").read_text(encoding="utf-8")
    page = Page(content)
    assert page.tags.count("svg") == 1
    assert "script" not in page.tags
    assert page.addresses
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in page.addresses)
    assert "<!DOCTYPE" not in content
    assert "default-src 'none'" in content


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "x.png").mkdir()
    with pytest.raises(CliError, match=r"cannot write .*x\.png"):
        draw(senses(2, states=3), tmp_path / "x.png")
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
