"""The picture as matplotlib would draw it: does all text fit, and is nothing on anything else?"""

import functools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tests.cli.samples import HOSTILE, senses

from polyseme.cli.senses.picture.figure import figure

KINDS = {
    "random": {},
    "the same": {"apart": 0},
    "hostile": {"text": HOSTILE},
    "wide": {"text": "W" * 30 + " bank " + "M" * 30},
    "only the word": {"text": "bank"},
    "a long word": {"text": "M" * 30 + " " + "W" * 90 + " " + "M" * 30, "word": "W" * 90},
}
# Labels have words around up to 12, in full up to 6; sentences are large up to 20.
CASES = [("random", count) for count in (1, 2, 5, 13, 60)]
CASES += [(kind, count) for kind in list(KINDS)[1:] for count in (6, 21)]
CASES += [("hostile", 12), ("the same", 12)]


@functools.cache
def drawn(**options):
    drawing = figure(senses(**options))
    return drawing, FigureCanvasAgg(drawing).get_renderer()


def boxes(drawing, renderer, gid):
    (axes,) = [axes for axes in drawing.axes if axes.get_gid() == gid]
    return axes.get_window_extent(renderer), [artist.get_window_extent(renderer) for artist in axes.artists]


def overlaps(extents):
    return [(i, j) for i in range(len(extents)) for j in range(i) if extents[i].overlaps(extents[j])]


def outside(inner, outer):
    return inner.x0 < outer.x0 or inner.x1 > outer.x1 or inner.y0 < outer.y0 or inner.y1 > outer.y1


@pytest.mark.parametrize(("kind", "count"), CASES)
def test_labels_are_in_the_frame_and_not_on_each_other(count, kind):
    drawing, renderer = drawn(count=count, states=3, **KINDS[kind])
    frame, labels = boxes(drawing, renderer, "map")
    assert len(labels) == count
    assert [label for label in labels if outside(label, frame)] == []
    assert overlaps(labels) == []


@pytest.mark.parametrize(("kind", "count"), CASES)
def test_sentences_are_on_the_page_and_not_on_each_other(count, kind):
    drawing, renderer = drawn(count=count, states=3, **KINDS[kind])
    _, lines = boxes(drawing, renderer, "sentences")
    assert len(lines) == count
    assert [line for line in lines if outside(line, drawing.bbox)] == []
    assert [i for i in range(1, count) if lines[i].overlaps(lines[i - 1])] == []


@pytest.mark.parametrize(("kind", "count"), CASES)
def test_nothing_of_the_map_reaches_into_the_sentences(kind, count):
    drawing, renderer = drawn(count=count, states=3, **KINDS[kind])
    _, lines = boxes(drawing, renderer, "sentences")
    texts = [text.get_window_extent(renderer) for text in drawing.texts]
    assert [text for text in texts if outside(text, drawing.bbox)] == []
    assert [text for text in texts if any(text.overlaps(line) for line in lines)] == []


@pytest.mark.parametrize("count", [2, 5])
def test_numbers_fit_their_cells(count):
    drawing, renderer = drawn(count=count)
    axes = drawing.axes[0]
    assert len(axes.texts) == count * count
    cell = axes.get_window_extent(renderer).width / count
    assert max(text.get_window_extent(renderer).width for text in axes.texts) < cell


def test_many_cells_have_no_numbers():
    assert not drawn(count=13, states=3)[0].axes[0].texts


def test_the_title_says_word_model_and_layer_and_fits():
    drawing, renderer = drawn(count=2, model="m" * 150)
    title = drawing.texts[0]
    assert title.get_text() == f"“bank” in 2 places: {'m' * 150}, layer 6"
    assert not outside(title.get_window_extent(renderer), drawing.bbox)
    assert figure(senses(1)).texts[0].get_text() == "“bank” in one place: tiny, layer 6"


def test_labels_of_few_have_the_words_around_and_of_many_the_number_alone():
    def label(count):
        drawing, _ = drawn(count=count, states=3)
        (axes,) = [axes for axes in drawing.axes if axes.get_gid() == "map"]
        return [area.get_text() for area in axes.artists[0].offsetbox.get_children()]

    assert label(2)[0] == "1 "
    assert label(2)[2] == "bank"
    assert label(2)[1].endswith(" on the far ")
    assert label(13) == ["1"]


def test_a_user_style_changes_nothing():
    import matplotlib as mpl

    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30, "axes.titlesize": 30, "lines.linewidth": 9}):
        drawing = figure(senses(2))
    assert drawing.axes[0].get_facecolor() == (1, 1, 1, 1)
    assert drawing.axes[0].xaxis.get_ticklabels()[0].get_size() == 7
