"""polyseme senses: the table, and a picture whose labels can be read."""

import json
import re
import xml.etree.ElementTree as ET

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tests.server.running import running

from polyseme.cli.main import main
from polyseme.cli.picture import draw
from polyseme.cli.picture.figure import figure, readable
from polyseme.cli.picture.geometry import plane, spread_labels
from polyseme.cli.senses import Occurrence, Senses

MONEY, WATER = "I deposited the check at the bank.", "We sat on the bank of the river."
ROBBER = "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
HOSTILE = Occurrence("$x^2$ <b>&amp; 北京 ", "bank", " \\frac{1}{2} 👩‍👩‍👧 $")


@pytest.fixture(scope="module")
def server(minilm_artifact):
    with running(minilm_artifact) as it:
        yield it


@pytest.fixture
def senses_of(server, capsys):
    def call(*arguments):
        code = main(["senses", *arguments, "--target", server.target])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def senses(count, *, same=False, states=8, hard=False):
    """Random vectors that part from each other layer by layer."""
    draw_ = np.random.default_rng(1)
    own = np.zeros((states, count, 64)) if same else draw_.normal(size=(1, count, 64))
    vectors = draw_.normal(size=(1, 1, 64)) + np.linspace(0, 1, states)[:, None, None] * own
    vectors = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    cosines = np.clip(vectors @ vectors.transpose(0, 2, 1), -1, 1)
    occurrences = [Occurrence("…" + "w" * 30 + " the ", "bank", " of " + "m" * 30 + "…")] * count
    if hard:
        occurrences[0] = HOSTILE
    layers = ["static", *map(str, range(states - 1))]
    return Senses("bank", "tiny", occurrences, layers, cosines, "layer 6", cosines[-1])


def test_the_matrix_of_the_lesson(senses_of):
    code, out, _ = senses_of("bank", MONEY, WATER, ROBBER)
    assert code == 0
    rows = [line for line in out.splitlines() if re.match(r"\| \d", line)]
    assert "I deposited the check at the [bank]." in rows[0]
    assert "1.0000 | 0.7476" in rows[0]
    assert "0.9641 | 1.0000 | 0.9325" in rows[3]
    assert re.search(r"\| static +\| 1.0000 \| 1.0000 \| 1.0000 \|", out)


def test_the_sum_of_the_last_four_layers(senses_of):
    _, out, _ = senses_of("bank", ROBBER, "--layer", "sum4")
    assert "0.9406 | 1.0000 | 0.8887" in out


def test_json_has_everything(senses_of):
    code, out, _ = senses_of("bank", MONEY, WATER, "--json", "--layer", "static")
    found = json.loads(out)
    assert code == 0
    assert found["layers"] == ["static", "0", "1", "2", "3", "4", "5", "6"]
    assert np.array(found["cosines"]).shape == (8, 2, 2)
    assert found["matrix"] == [[1, 1], [1, 1]]
    assert found["occurrences"][1] == {"before": "We sat on the ", "word": "bank", "after": " of the river."}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("bank", MONEY, "nothing here"), 1, "sentence 2 has no such word"),
        (("BANK", MONEY), 1, "sentence 1 has no such word"),
        (("bank", MONEY, "--layer", "9"), 2, "--layer 9: last, static, sum4, or -7..6"),
        (("bank", MONEY, "--layer", "x"), 2, "--layer x: last, static, sum4, or -7..6"),
        (("bank", MONEY, "-o", "x.pdf"), 2, ".png, .svg, .html"),
        (("bank", MONEY, "-o", "no/such/x.png"), 2, "there is no folder no/such"),
    ],
)
def test_refusals_are_one_line(senses_of, arguments, code, message):
    got, _, err = senses_of(*arguments)
    assert (got, err.count("\n")) == (code, 1)
    assert message in err


def test_case_can_be_ignored(senses_of):
    assert senses_of("BANK", MONEY, "--ignore-case")[0] == 0


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_a_picture_is_written_and_always_the_same(senses_of, tmp_path, ending):
    pictures = []
    for number in (1, 2):
        path = tmp_path / f"{number}.{ending}"
        assert senses_of("bank", MONEY, WATER, ROBBER, "-o", str(path))[0] == 0
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]


def test_png_is_large_enough_to_print(tmp_path):
    draw(senses(5), tmp_path / "x.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "x.png").shape
    assert width == 2600
    assert height > 1000


def test_hostile_text_is_text(tmp_path):
    draw(senses(3, hard=True), tmp_path / "x.svg")
    draw(senses(3, hard=True), tmp_path / "x.html")
    svg = ET.parse(tmp_path / "x.svg").getroot()
    texts = {"".join(node.itertext()) for node in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert "$x^2$ <b>&amp; □□ " in texts, "neither markup nor mathematics; what the font lacks is a square"
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<li>$x^2$ &lt;b&gt;&amp;amp; 北京 <b>bank</b>" in page, "the page has the text as it is"
    assert not re.search(r"""(src|href)=["']http""", page)


def test_what_the_font_lacks_becomes_a_square():
    assert readable("naïve 北京 🙂") == "naïve □□ □"


@pytest.mark.parametrize("count", [1, 2, 5, 12, 24, 40, 60])
@pytest.mark.parametrize("same", [False, True])
def test_labels_do_not_overlap(count, same):
    drawing = figure(senses(count, same=same))
    renderer = FigureCanvasAgg(drawing).get_renderer()
    drawing.draw(renderer)
    box = next(axes for axes in drawing.axes if "plane" in axes.get_title(loc="left"))
    extents = [text.get_window_extent(renderer) for text in box.texts]
    assert len(extents) == count
    inside = box.get_window_extent(renderer)
    assert all(inside.x0 <= e.x0 and e.x1 <= inside.x1 and inside.y0 <= e.y0 and e.y1 <= inside.y1 for e in extents)
    overlaps = [(i, j) for i in range(count) for j in range(i) if extents[i].overlaps(extents[j])]
    assert overlaps == []


@pytest.mark.parametrize("count", [1, 2, 12, 60])
def test_sentences_fit_their_column(count):
    drawing = figure(senses(count))
    renderer = FigureCanvasAgg(drawing).get_renderer()
    drawing.draw(renderer)
    page = drawing.bbox
    lines = [artist for axes in drawing.axes for artist in axes.artists]
    extents = [line.get_window_extent(renderer) for line in lines]
    assert len(extents) == count
    assert all(e.x1 <= page.x1 and e.y0 >= page.y0 for e in extents)
    assert not any(extents[i].overlaps(extents[i - 1]) for i in range(1, count))


def test_the_plane_keeps_distances_where_it_can():
    draw_ = np.random.default_rng(3)
    flat = draw_.normal(size=(6, 2))
    flat -= flat.mean(axis=0)
    points = plane(flat @ flat.T)
    want = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    got = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(got / got.max(), want / want.max(), atol=1e-6)
    assert np.abs(points).max() == pytest.approx(1)


def test_labels_of_one_place_go_apart():
    labels = spread_labels(np.zeros((8, 2)), 0.2)
    gaps = np.linalg.norm(labels[:, None] - labels[None], axis=2)[np.triu_indices(8, 1)]
    assert gaps.min() > 0.15
