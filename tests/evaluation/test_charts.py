import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfvqa.evaluation.charts import DASH, Figure, Line, Whisker, bar, interval_plot, line_chart, number, ticks

HOSTILE = '<script>alert("x")</script>&'
FINITE = st.floats(-1e9, 1e9, allow_nan=False)


def parsed(svg):
    return ElementTree.fromstring(str(svg))


def texts(svg):
    return [element.text for element in parsed(svg).iter("text")]


@pytest.mark.parametrize(
    ("value", "words"), [(0.12345, "0.123"), (None, DASH), (math.nan, DASH), (math.inf, DASH), (1, "1.000")]
)
def test_a_number_or_a_dash(value, words):
    assert number(value) == words


def test_an_interval_plot_shows_every_row():
    rows = [Whisker("one", Figure(0.5, 0.25, 0.75), "model"), Whisker("two", Figure(None), "blind")]
    svg = interval_plot(rows, title="F1")
    assert {"one", "0.500", "two", DASH} <= set(texts(svg))
    model, blind = (group for group in parsed(svg).iter("g"))
    dot, whisker = model.find("circle"), model.find("line")
    assert float(whisker.get("x1")) < float(dot.get("cx")) < float(whisker.get("x2"))
    assert blind.find("circle") is None
    assert blind.find("line") is None


def test_marks_lie_on_one_scale():
    svg = interval_plot([Whisker("a", Figure(value, value, value), "model") for value in (0, 0.5, 1)], title="t")
    first, middle, last = (float(dot.get("cx")) for dot in parsed(svg).iter("circle"))
    assert middle - first == pytest.approx(last - middle, abs=0.11)
    lines = [float(line.get("x1")) for line in parsed(svg).iter("line") if line.get("class") == "grid"]
    assert lines == pytest.approx([first, middle, last])


def test_figures_above_one_lie_inside_a_scale_that_reaches_them():
    svg = interval_plot([Whisker("a", Figure(value, 0, 31.5), "model") for value in (0, 14, 28)], title="t")
    first, middle, last = (float(dot.get("cx")) for dot in parsed(svg).iter("circle"))
    assert middle - first == pytest.approx(last - middle, abs=0.11)
    grid = [float(line.get("x1")) for line in parsed(svg).iter("line") if line.get("class") == "grid"]
    assert first == grid[0]
    assert last < float(parsed(svg).find("g/line").get("x2")) <= grid[-1]
    assert {"0", "20", "40"} <= set(texts(svg))


def test_hostile_words_are_escaped():
    plots = [
        interval_plot([Whisker(HOSTILE, Figure(0.5), "model")], title=HOSTILE),
        line_chart([Line(HOSTILE, "train", ((1.0, 1.0), (2.0, 3.0)))], title=HOSTILE),
        bar(0.5, title=HOSTILE),
    ]
    for plot in plots:
        assert "<script" not in plot
        assert HOSTILE in parsed(plot).get("aria-label")
    assert HOSTILE in texts(plots[0])


@given(st.lists(FINITE, min_size=1, max_size=20), st.lists(FINITE, max_size=20))
def test_curves_stay_inside_the_chart(train, val):
    lines = [
        Line("training", "train", tuple((epoch + 1.0, value) for epoch, value in enumerate(train))),
        Line("validation", "val", tuple((epoch + 1.0, value) for epoch, value in enumerate(val))),
    ]
    chart = parsed(line_chart(lines, title="loss"))
    width, height = (float(part) for part in chart.get("viewBox").split()[2:])
    pairs = [point for line in chart.iter("polyline") for point in line.get("points").split()]
    places = [tuple(map(float, pair.split(","))) for pair in pairs]
    places += [(float(dot.get("cx")), float(dot.get("cy"))) for dot in chart.iter("circle")]
    assert len(places) == len(train) + len(val)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places)


def test_one_epoch_is_a_dot_and_none_are_words():
    assert len(list(parsed(line_chart([Line("training", "train", ((1.0, 2.0),))], title="t")).iter("circle"))) == 1
    assert "no values" in line_chart([Line("training", "train", ())], title="t")
    assert "no values" in line_chart([], title="t")


def test_the_kept_checkpoint_is_marked_on_its_line():
    points = ((1.0, 3.0), (2.0, 1.0), (3.0, 2.0))
    chart = parsed(line_chart([Line("validation", "val", points)], title="t", best=points[1]))
    mark = next(dot for dot in chart.iter("circle") if dot.get("class") == "best")
    place = next(chart.iter("polyline")).get("points").split()[1]
    assert place == f"{mark.get('cx')},{mark.get('cy')}"


@given(FINITE, FINITE)
def test_ticks_enclose_and_are_few(one, other):
    low, high = sorted((one, other))
    steps = ticks(low, high)
    slack = 1e-6 * max(1e-6, high - low, abs(high))
    assert steps[0] <= low + slack
    assert steps[-1] >= high - slack
    assert 2 <= len(steps) <= 6


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-200, 1.0, -3.0, 1e9])
def test_a_flat_line_has_ticks(value):
    steps = ticks(value, value)
    assert len(set(steps)) == len(steps) >= 2
    assert len({f"{step:.4g}" for step in steps}) == len(steps)


def test_ticks_are_round():
    assert ticks(0.62, 0.98) == pytest.approx([0.6, 0.8, 1.0])
    assert ticks(3.0, 9.0) == pytest.approx([2, 4, 6, 8, 10])


@pytest.mark.parametrize(("value", "length"), [(0.25, 25), (None, 0), (0, 0), (1, 100)])
def test_a_bar_is_as_long_as_its_share(value, length):
    _, filled = parsed(bar(value, title="t")).iter("rect")
    assert float(filled.get("width")) == length


def test_a_bar_has_a_mark_where_there_is_something_to_compare_with():
    assert not list(parsed(bar(0.5, title="t")).iter("line"))
    assert float(next(parsed(bar(0.5, mark=0.3, title="t")).iter("line")).get("x1")) == 30
