import doctest
import math

import pytest

from kindex.judge.page import lines, text
from kindex.judge.page.text import LONGEST, breakable, cleaned, interval, is_number, number, sentence, visible
from tests.judge.page.made_up import png


@pytest.mark.parametrize("module", [text, lines])
def test_the_examples_in_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\x00b", "a\\u0000b"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("تورش, 日本語, 👩\u200d🔬, naïve", "تورش, 日本語, 👩\u200d🔬, naïve"),
    ],
)
def test_what_cannot_be_seen_is_written_out_and_scripts_of_the_world_stay(given, shown):
    assert visible(given) == shown
    visible(given).encode()


def test_a_long_text_is_cut_and_counted():
    assert visible("é" * (LONGEST + 1)) == "é" * LONGEST + f"… ({LONGEST + 1:,} characters)"
    assert visible("é" * LONGEST) == "é" * LONGEST


def test_cleaning_reaches_keys_and_lists_and_lets_only_png_through_as_images():
    image = png(3)
    dirty = {"a\x00": ["b\x01", 1.5, None, True], "image": image, "inner": [{"image": "https://example.org/x.png"}]}
    assert cleaned(dirty) == {"a\\u0000": ["b\\u0001", 1.5, None, True], "image": image, "inner": [{"image": None}]}
    assert cleaned({"queries_per_second": {"image": {"exact": 9.5}}}) == {"queries_per_second": {"image": {"exact": 9.5}}}
    for refused in ('data:image/png;base64,AA" onload="x', "data:image/svg+xml;base64,AAAA", 7, f"{image}\n", "A" * 300_000):
        assert cleaned({"image": refused}) == {"image": None}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "0.4", True, [1]])
def test_what_is_not_a_finite_number_is_a_dash(value):
    assert number(value) == "–"
    assert not is_number(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.0119, "0.0119"),
        (0.00123, "0.00123"),
        (-0.25, "−0.250"),
        (-3, "−3"),
        (99.999, "100"),
        (0.09999, "0.100"),
        (1e9, "1,000,000,000"),
    ],
)
def test_numbers_keep_about_three_digits(value, shown):
    assert number(value) == shown


def test_long_names_may_break_where_they_part_and_stay_escaped():
    assert breakable("torch.nn_<b>/x.") == "torch.<wbr>nn_&lt;b&gt;/<wbr>x."


def test_small_phrases():
    assert interval(0.35, 0.45) == "0.350 to 0.450"
    assert interval(None, 0.45) == ""
    assert [sentence(given) for given in ("share of links", "All.", "")] == ["Share of links.", "All.", ""]
