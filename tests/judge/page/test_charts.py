"""Coordinates against arithmetic done by hand."""

import re
from xml.etree import ElementTree

import pytest

from kindex.judge.page.bars import bar, percent, span, strip
from kindex.judge.page.lines import Plot, line_chart, lines_chart, spread, ticks


def parts(svg, name):
    return [element.attrib for element in ElementTree.fromstring(svg) if element.tag == name]


def test_span_holds_zero_and_every_finite_value():
    assert span([0.4, None, 0.7, float("nan")]) == (0.0, 0.7)
    assert span([-2, 3]) == (-2.0, 3.0)
    assert span([]) == (0.0, 1.0)


def test_percent_is_linear_and_stays_inside():
    assert [percent(x, (0.0, 0.8)) for x in (0, 0.2, 0.8, 9, -9)] == [0, 25, 100, 100, 0]
    assert percent(1, (-1.0, 3.0)) == 50


def test_a_bar_starts_at_zero_and_its_whisker_changes_colour_where_the_bar_ends():
    svg = bar(0.4, (0.0, 0.5), 0.3, 0.5)
    assert parts(svg, "rect")[0] | {"x": "0%", "width": "80%"} == parts(svg, "rect")[0]
    spans = [(line["class"], line["x1"], line["x2"]) for line in parts(svg, "line") if line["x1"] != line["x2"]]
    assert spans == [("inside", "60%", "80%"), ("outside", "80%", "100%")]
    ends = [(line["class"], line["x1"]) for line in parts(svg, "line") if line["x1"] == line["x2"]]
    assert ends == [("inside", "60%"), ("outside", "100%")]


def test_a_negative_bar_ends_at_zero():
    rect = parts(bar(-1.0, (-2.0, 2.0)), "rect")[0]
    assert (rect["x"], rect["width"]) == ("25%", "25%")
    assert parts(bar(-1.0, (-2.0, 2.0)), "line") == []


def test_a_strip_places_value_baselines_and_interval():
    svg = strip(0.4, [0.1, 0.3], (0.0, 0.5), 0.35, 0.45)
    at = [(line["class"], line["x1"]) for line in parts(svg, "line") if line["x1"] == line["x2"]]
    assert at == [("baseline", "20%"), ("baseline", "60%"), ("own", "80%")]
    assert [(rect["x"], rect["width"]) for rect in parts(svg, "rect")] == [("70%", "20%")]


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0.0, 0.69, [0, 0.2, 0.4, 0.6, 0.8]),
        (0.31, 2.04, [0, 0.5, 1, 1.5, 2, 2.5]),
        (-3, 5, [-4, -2, 0, 2, 4, 6]),
        (3.0, 3.0, [1, 2, 3, 4, 5]),
        (12000, 15000, [12000, 13000, 14000, 15000]),
    ],
)
def test_ticks_are_round_and_hold_the_range(low, high, marks):
    assert ticks(low, high) == marks


def test_a_plot_puts_the_range_on_its_margins_with_y_upwards():
    plot = Plot(240, 140, (1, 5), (0, 10), right=10, left=40, top=10, bottom=30)
    assert [plot.x(1), plot.x(3), plot.x(5)] == [40, 135, 230]
    assert [plot.y(0), plot.y(5), plot.y(10)] == [110, 60, 10]
    assert Plot(240, 140, (1, 1), (0, 10), right=10, left=40).x(1) == 135


def test_a_line_runs_through_its_points():
    svg = line_chart([(1, 0.0), (2, 1.5), (3, 3.0)], "three epochs")
    xy = [tuple(map(float, pair.split(","))) for pair in parts(svg, "polyline")[0]["points"].split()]
    plot = Plot(240, 140, (1, 3), (0, 3))
    assert xy == [(plot.x(1), plot.y(0)), (plot.x(2), plot.y(1.5)), (plot.x(3), plot.y(3))]
    assert (float(parts(svg, "circle")[0]["cx"]), float(parts(svg, "circle")[0]["cy"])) == xy[-1]
    assert xy[0][1] > xy[-1][1], "a larger value stands higher"


def test_one_point_and_a_flat_line_are_drawn():
    assert parts(line_chart([(1, 2.0)], "one"), "circle")
    heights = {pair.split(",")[1] for pair in parts(line_chart([(1, 2.0), (2, 2.0)], "flat"), "polyline")[0]["points"].split()}
    assert len(heights) == 1


def test_named_lines_start_at_zero_keep_their_order_and_put_ours_on_top():
    series = {"pairs": [(10, 0.4), (50, 0.69)], "SVD<": [(10, 0.3), (50, 0.68)], "popularity of books": [(10, 0.1), (50, 0.3)]}
    svg = lines_chart(series, "pairs", "recall")
    assert [line["class"] for line in parts(svg, "polyline")] == ["other", "other", "own"]
    labels = {text: float(y) for y, text in re.findall(r'<text class="o\w+" x="306" y="([\d.]+)">([^<]+)</text>', svg)}
    assert labels["SVD&lt;"] - labels["pairs"] == pytest.approx(15, abs=0.11)
    assert set(labels) == {"pairs", "SVD&lt;", "popularity of …"}
    assert '<text class="y" x="34" y="220.0">0</text>' in svg


def test_labels_that_collide_stand_around_their_middle():
    assert spread({"a": 10, "b": 50}, gap=15) == {"a": 10, "b": 50}
    assert spread({"a": 10, "b": 12}, gap=10) == {"a": 6, "b": 16}
    assert spread({"a": 0, "b": 9, "c": 10}, gap=10) == pytest.approx({"a": -3.667, "b": 6.333, "c": 16.333}, abs=0.001)
