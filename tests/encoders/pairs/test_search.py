"""How settings are chosen: climbs that keep their budget, first of equals, and the quality of a blend."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from kindex.encoders.pairs.blend import together
from kindex.encoders.pairs.measure import Judge
from kindex.encoders.pairs.search import CLIMB, Trials, best, blend_quality, climb
from tests.encoders.pairs.small import groups, links_of, table

START = {"unobserved": (0.1, 3.0), "regularisation": (2.5, 2.5)}
FREE = {"unobserved": None, "regularisation": None}


class Hill:
    """Concave in both logarithms, with its top at these values; remembers what was asked."""

    def __init__(self, unobserved: float, regularisation: float) -> None:
        self.top, self.asked = (unobserved, regularisation), list[tuple[float, float]]()

    def __call__(self, unobserved: float, regularisation: float) -> float:
        self.asked.append((unobserved, regularisation))
        return 1 - 0.01 * sum(math.log(a / b) ** 2 for a, b in zip((unobserved, regularisation), self.top, strict=True))


@pytest.mark.parametrize(
    "top", [(0.1, 2.5), (0.3, 2.5), (0.9, 2.5), (0.1 / 3, 2.5), (0.1, 6.25), (0.1, 1.0), (0.3, 6.25), (0.1 / 3, 1.0)]
)
def test_a_climb_finds_the_top_of_a_hill_nearby(top: tuple[float, float]) -> None:
    hill = Hill(*top)
    won = climb(START, FREE, hill)
    assert won == pytest.approx(dict(zip(START, top, strict=True)))
    assert len(hill.asked) <= CLIMB


@pytest.mark.parametrize("top", [(1e-9, 2.5), (1e9, 1e9), (0.01, 30.0), (5.0, 0.01)])
def test_a_climb_keeps_its_budget_and_what_is_best_of_all_that_it_asked(top: tuple[float, float]) -> None:
    hill = Hill(*top)
    won = climb(START, FREE, hill)
    assert len(hill.asked) == CLIMB
    assert hill(**won) == max(Hill(*top)(*asked) for asked in hill.asked)


def test_a_climb_never_asks_the_same_twice() -> None:
    for top in [(0.3, 2.5), (0.9, 6.25), (0.1 / 9, 1.0)]:
        hill = Hill(*top)
        climb(START, FREE, hill)
        assert len({(f"{a:.6g}", f"{b:.6g}") for a, b in hill.asked}) == len(hill.asked)


def test_what_is_given_stays() -> None:
    hill = Hill(0.3, 100.0)
    assert climb(START, {"unobserved": None, "regularisation": 7.0}, hill) == pytest.approx(
        {"unobserved": 0.3, "regularisation": 7.0}
    )
    assert {regularisation for _, regularisation in hill.asked} == {7.0}
    hill = Hill(0.3, 100.0)
    assert (
        climb(START, {"unobserved": 0.0, "regularisation": None}, lambda **s: -abs(s["regularisation"] - 6.25))["unobserved"]
        == 0
    )
    assert climb(START, {"unobserved": 0.2, "regularisation": 0.0}, lambda **s: 1.0) == {
        "unobserved": 0.2,
        "regularisation": 0,
    }


@pytest.mark.parametrize("value", [0.5, None])
def test_on_a_plain_a_climb_stays_where_it_began(value: float | None) -> None:
    assert climb(START, FREE, lambda **settings: value) == {"unobserved": 0.1, "regularisation": 2.5}


def test_the_first_of_equals_wins_and_every_trial_is_kept() -> None:
    trials = Trials()
    found: dict[float, float | None] = {1.0: 0.2, 2.0: 0.5, 3.0: 0.5}
    assert best(trials, "hill", [{"x": x} for x in found], lambda x: found[x]) == {"x": 2.0}
    assert trials.rows == [{"trial": "hill", "x": x, "validation": quality} for x, quality in found.items()]
    assert best(Trials(), "nothing", [{"x": 4.0}, {"x": 5.0}], lambda x: None) == {"x": 4.0}


def test_another_choice_must_be_better_by_the_margin() -> None:
    for quality, wanted in ((0.504, 1.0), (0.506, 2.0)):
        made = {1.0: 0.5, 2.0: quality}.__getitem__
        assert best(Trials(), "hill", [{"x": 1.0}, {"x": 2.0}], lambda x, made=made: made(x), 1.01) == {"x": wanted}


def test_the_quality_of_a_blend_is_that_of_the_tables_put_together() -> None:
    dense = groups(60, 40, weighted=False) > 0
    hidden = dense & (np.random.default_rng(1).random(dense.shape) < 0.2)
    judge = Judge(links_of(dense & ~hidden), links_of(hidden))
    parts = [(table(60, 3, 0), table(40, 3, 1)), (5 * table(60, 4, 2), table(40, 4, 3))]
    mixes: list[tuple[float, ...]] = [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)]
    wanted = [judge.score(*(table.whole() for table in together(parts, list(mix)))) for mix in mixes]
    assert blend_quality(judge, parts, mixes) == pytest.approx(wanted, abs=1e-6)
    assert len(set(wanted)) == 3
    made: Callable[..., object] = blend_quality
    assert made(Judge(links_of(dense), links_of(dense & False)), parts, mixes) == [None] * 3
