"""What a link counts: the formula, and that weights, dates and kinds are used where that ranks better."""

import math
from typing import Any

import numpy as np
import pytest

from kindex.core.catalogue import LINKS, Catalogue
from kindex.encoders.pairs.observed import Observed, observe
from kindex.encoders.pairs.weighing import HEAVIEST, LIGHTEST, strength
from tests.encoders.pairs.small import fit, made
from tests.encoders.pairs.test_observed import catalogue, shuffled


def dense_observed() -> Observed:
    return observe(catalogue(shuffled(True, True, False)))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("half_life", [0.0, 300.0])
@pytest.mark.parametrize("factors", [{}, {"actor": 3.0, "link": 0.0}])
def test_what_a_link_counts_is_the_formula(power: float, half_life: float, factors: dict[str, float]) -> None:
    observed = dense_observed()
    found = strength(observed, power, half_life, {kind: factors.get(kind, 1.0) for kind in observed.right.ids})
    mean = math.exp(sum(math.log(weight) for weight in observed.weight_P.tolist()) / len(observed))
    kinds, newest = list(observed.right.ids), max(observed.time_P.tolist())
    wanted = []
    for weight, time, right in zip(observed.weight_P.tolist(), observed.time_P.tolist(), observed.right_P.tolist()):
        counted = (weight / mean) ** power * factors.get(kinds[observed.right_kind_R[right]], 1.0)
        counted *= 0.5 ** ((newest - time) / 86_400 / half_life) if half_life else 1.0
        wanted.append(min(max(counted, float(LIGHTEST)), float(HEAVIEST)))
    if power or half_life or factors:
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
    else:
        assert found is None


def test_weights_and_dates_at_the_ends_of_what_numbers_can_say_count_within_bounds() -> None:
    ends = [(number, number % 7) for number in range(40)]
    weighted = observe(made(ends, weight=lambda number: 3e38 if number % 2 else 1.2e-38))
    for power in (0.5, 1.0, 30.0):
        assert set(np.unique(strength(weighted, power, 0.0, {}))) == {LIGHTEST, HEAVIEST}
    dated = observe(made(ends, time=lambda number: (-1) ** number * (2**63 - 1)))
    assert set(np.unique(strength(dated, 0.0, 1.0, {}))) == {LIGHTEST, 1}


def test_weights_dates_and_kinds_are_weighed_when_that_ranks_better() -> None:
    """Six links of each left item stay inside its group, twelve lead anywhere and are light, old or of their own kind."""
    rng = np.random.default_rng(0)
    found: dict[tuple[int, int], bool] = {}
    for left in range(300):
        found |= {(left, int(right)): False for right in rng.permutation(300)[:12]}
        found |= {(left, int(right)): True for right in rng.permutation(30)[:6] * 10 + left % 10}
    ends, inside = list(found), list(found.values())

    def chosen(catalogue: Catalogue) -> dict[str, Any]:
        return fit(catalogue, objective="spectral", dimensions=10).about["chosen"]

    assert chosen(made(ends, weight=lambda number: 5.0 if inside[number] else 0.01))["weight_power"] > 0
    assert chosen(made(ends, weight=lambda number: 1.0 + number % 3))["weight_power"] == 0  # says nothing
    assert chosen(made(ends, time=lambda number: 10**9 * inside[number]))["half_life_days"] > 0
    links = made(ends).links.set_column(3, LINKS.field("right_kind"), [["link" if one else "noise" for one in inside]])
    kinds = chosen(Catalogue("made", {"items": made([]).items, "links": links}))["kind_weights"]
    assert kinds["noise"] < kinds["link"]
