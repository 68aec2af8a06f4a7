"""Negatives: drawn by popularity, weighted without bias, never a known link."""

import numpy as np
import pytest

from kindex.encoders.parts.links import Links
from kindex.encoders.parts.sampling import PopularitySampler, known_cells

DEGREE = np.array([100, 50, 20, 10, 5, 2, 1, 0])


def test_it_draws_in_proportion_to_a_power_of_popularity() -> None:
    for power in (0.0, 0.75, 1.0):
        sampler, rng = PopularitySampler(DEGREE, power, 4), np.random.default_rng(0)
        times = np.zeros(len(DEGREE))
        for _ in range(5000):
            drawn = sampler.draw(rng)
            times[drawn.rows_U] += np.exp(drawn.log_weight_U) * 4 * sampler.probability_R[drawn.rows_U]
        wanted = np.maximum(DEGREE, 1.0) ** power
        np.testing.assert_allclose(times / times.sum(), wanted / wanted.sum(), atol=0.01)


def test_weighted_sums_are_without_bias() -> None:
    value = np.random.default_rng(1).random(len(DEGREE))
    sampler, rng = PopularitySampler(DEGREE, 0.75, 5), np.random.default_rng(0)
    sums = []
    for _ in range(4000):
        drawn = sampler.draw(rng)
        sums.append((value[drawn.rows_U] * np.exp(drawn.log_weight_U)).sum())
    assert np.mean(sums) == pytest.approx(value.sum(), rel=0.05)


def test_as_many_draws_as_items_take_each_once() -> None:
    drawn = PopularitySampler(DEGREE, 0.75, len(DEGREE)).draw(np.random.default_rng(0))
    assert drawn.rows_U.tolist() == list(range(len(DEGREE)))
    assert (drawn.log_weight_U == 0).all()


def test_every_known_link_among_the_negatives_is_found_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    pairs = np.argwhere(rng.random((30, 40)) < 0.2)
    known = Links.of(pairs[:, 0], pairs[:, 1], 30, 40)
    left_B = rng.permutation(30)[:12]
    place_P, right_P = known.of_rows(left_B)
    for draws in (3, 15, 40):
        rows_U = PopularitySampler(known.right_degree_R, 0.75, draws).draw(rng).rows_U
        cells = set(zip(*(cell.tolist() for cell in known_cells(rows_U, place_P, right_P))))
        linked = {(left, right) for left, right in pairs.tolist()}
        slow = {(b, u) for b in range(len(left_B)) for u in range(len(rows_U)) if (int(left_B[b]), int(rows_U[u])) in linked}
        assert cells == slow


def test_links_of_rows_are_the_pairs() -> None:
    pairs = np.argwhere(np.random.default_rng(3).random((10, 7)) < 0.3)
    known = Links.of(np.r_[pairs[:, 0], pairs[:3, 0]], np.r_[pairs[:, 1], pairs[:3, 1]], 10, 7)
    assert len(known) == len(pairs)
    place_P, right_P = known.of_rows(np.array([8, 2, 5]))
    rows = [8, 2, 5]
    wanted = [(row, right) for row in rows for left, right in pairs.tolist() if left == row]
    assert [(rows[place], right) for place, right in zip(place_P.tolist(), right_P.tolist())] == wanted
    places, at_P = known.places(np.array([8, 2, 5]))
    assert places.tolist() == place_P.tolist() and known.right_P[at_P].tolist() == right_P.tolist()
    assert list(zip(known.left_P().tolist(), known.right_P.tolist())) == [tuple(pair) for pair in pairs.tolist()]
    assert known.left_degree_L.tolist() == np.bincount(pairs[:, 0], minlength=10).tolist()
    assert known.right_degree_R.tolist() == np.bincount(pairs[:, 1], minlength=7).tolist()
