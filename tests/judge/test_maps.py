"""The map from one night to the next: who stays, who is put where, and how far the rest moves."""

import numpy as np
import pytest

from kindex.core.space import unit
from kindex.judge.maps import moved, pca_2d, placed_among, tsne_2d, turned_onto

RNG = np.random.default_rng(0)


def groups(count=180, noise=0.3, seed=0):
    """Unit vectors (N, 8) around six centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, 8))
    return unit((centres[np.arange(count) % 6] + noise * rng.normal(size=(count, 8))).astype(np.float32))


def test_a_new_item_is_put_among_its_neighbours():
    unit_ND = groups(120)
    start_N2 = np.stack([np.arange(120) % 6 * 10.0, np.zeros(120)], 1)  # each group on its own spot
    start_N2[[7, 20]] = np.nan
    found_N2 = placed_among(start_N2, unit_ND)
    assert found_N2[7] == pytest.approx([10, 0]) and found_N2[20] == pytest.approx([20, 0])
    kept = [row for row in range(120) if row not in (7, 20)]
    assert np.array_equal(found_N2[kept], start_N2[kept])
    assert np.isnan(placed_among(np.full((5, 2), np.nan), unit_ND[:5])).all()


def test_pca_is_turned_back_and_keeps_its_distances():
    unit_ND = groups()
    was_N2 = pca_2d(unit_ND)
    angle = 2.0
    mirrored = was_N2 @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [1, -1]
    found_N2 = turned_onto(mirrored, was_N2)
    assert found_N2 == pytest.approx(was_N2, abs=1e-9)
    unplaced_N2 = was_N2.copy()
    unplaced_N2[::3] = np.nan
    assert turned_onto(mirrored, unplaced_N2) == pytest.approx(was_N2, abs=1e-9)


def test_tsne_goes_on_from_last_night_and_moves_little():
    unit_ND = groups()
    first_N2 = tsne_2d(unit_ND, seed=1)
    nudged_ND = unit(unit_ND + np.float32(0.05) * RNG.normal(size=unit_ND.shape).astype(np.float32))
    afresh_N2, again_N2 = tsne_2d(nudged_ND, 1), tsne_2d(nudged_ND, 1, first_N2)
    assert moved(again_N2, first_N2) < 0.25
    assert moved(again_N2, first_N2) < moved(afresh_N2, first_N2)

    def apart(points_N2):
        """Distances between groups over those within: is it a good map?"""
        middles = np.array([points_N2[group::6].mean(0) for group in range(6)])
        within = np.mean([np.linalg.norm(points_N2[group::6] - middles[group], axis=1).mean() for group in range(6)])
        return np.linalg.norm(middles[:, None] - middles[None], axis=2).mean() / within

    assert apart(again_N2) > 0.8 * apart(afresh_N2)


def test_how_far_a_map_moved():
    was_N2 = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [np.nan, np.nan]])
    assert moved(was_N2 + np.array([0.5, 0]), was_N2) == pytest.approx(0.5)  # of a radius of 1
    assert moved(was_N2, was_N2) == 0.0
    assert moved(was_N2, np.full((5, 2), np.nan)) == 0.0
