"""Exact neighbours: every value against a sort of all scores, on whole numbers, where no rounding hides a mistake."""

import numpy as np
import pytest

from kindex.core import nearest as module
from kindex.core.best import Best, floors
from kindex.core.nearest import all_pairs, nearest, top_k


def sorted_scores(scores_QN, k):
    """All scores sorted: descending, equal ones by column."""
    order = np.argsort(-scores_QN, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores_QN, order, 1), order


def slow(vectors_ND, k):
    """The k best other rows of each row, one row at a time, in float64."""
    count, found = len(vectors_ND), []
    for row in range(count):
        scores = vectors_ND.astype(np.float64) @ vectors_ND[row].astype(np.float64)
        others = sorted((-score, other) for other, score in enumerate(scores.tolist()) if other != row)
        found.append([(-score, other) for score, other in others[:k]])
    shape = (count, max(0, min(k, count - 1)))
    scores = np.array([[score for score, _ in row] for row in found]).reshape(shape)
    return scores, np.array([[other for _, other in row] for row in found], np.int64).reshape(shape)


def gathered(vectors_ND, k):
    parts = list(all_pairs(vectors_ND, k))
    asked = [row for block, _, _ in parts for row in range(block.start, block.stop)]
    assert asked == list(range(len(vectors_ND)))
    return np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "SIDE", 64)


def whole_numbers(count, width, seed, most=3):
    """Vectors whose products are exact in float32, with many ties."""
    return np.random.default_rng(seed).integers(-most, most + 1, (count, width)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 129, 200])
@pytest.mark.parametrize("k", [1, 10, 63, 500])
def test_all_pairs_is_a_sort_of_all_scores(small_blocks, count, k):
    vectors_ND = whole_numbers(count, 5, seed=count)
    scores_NK, rows_NK = gathered(vectors_ND, k)
    expected_NK, expected_rows_NK = slow(vectors_ND, k)
    np.testing.assert_array_equal(scores_NK, expected_NK)
    np.testing.assert_array_equal(rows_NK, expected_rows_NK)


@pytest.mark.parametrize(
    "vectors_ND",
    [
        np.ones((300, 4), np.float32),  # every score is a tie
        np.zeros((300, 4), np.float32),
        np.arange(300, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32),  # later rows are always better
        -np.arange(300, dtype=np.float32)[:, None] * np.array([[1, 0]], np.float32) + np.array([[0, 1]], np.float32),
        np.repeat(whole_numbers(5, 4, seed=1), 60, axis=0),  # sixty copies of each
        np.where(np.arange(300)[:, None] % 2, np.float32(-0.0), np.float32(0.0)) * np.ones((1, 4), np.float32),  # -0 is 0
    ],
    ids=["ones", "zeros", "ascending", "descending", "copies", "signed-zeros"],
)
@pytest.mark.parametrize("k", [1, 10, 70])
def test_ties_and_unlucky_orders(small_blocks, vectors_ND, k):
    scores_NK, rows_NK = gathered(vectors_ND, k)
    expected_NK, expected_rows_NK = slow(vectors_ND, k)
    np.testing.assert_array_equal(scores_NK, expected_NK)
    np.testing.assert_array_equal(rows_NK, expected_rows_NK)


def test_neither_the_block_nor_the_use_of_symmetry_changes_exact_answers(monkeypatch):
    vectors_ND = whole_numbers(1000, 8, seed=4)
    first = gathered(vectors_ND, 10)
    for name, value in (("SIDE", 64), ("SIDE", 320), ("STATE_BYTES", 0)):
        monkeypatch.setattr(module, name, value)
        for one, other in zip(first, gathered(vectors_ND, 10)):
            np.testing.assert_array_equal(one, other)


def test_of_real_vectors_the_scores_are_right_and_nothing_better_is_missed():
    vectors_ND = np.random.default_rng(0).standard_normal((2000, 50)).astype(np.float32)
    exact_NN = vectors_ND.astype(np.float64) @ vectors_ND.T.astype(np.float64)
    np.fill_diagonal(exact_NN, -np.inf)
    scores_NK, rows_NK = gathered(vectors_ND, 10)
    np.testing.assert_allclose(scores_NK, np.take_along_axis(exact_NN, rows_NK, 1), atol=1e-4)
    np.testing.assert_allclose(scores_NK, -np.sort(-exact_NN, axis=1)[:, :10], atol=1e-4)
    assert (np.diff(scores_NK, axis=1) <= 0).all()
    again_NK, again_rows_NK = gathered(vectors_ND.copy(), 10)
    assert scores_NK.tobytes() == again_NK.tobytes() and rows_NK.tobytes() == again_rows_NK.tobytes()


def test_a_score_is_the_same_from_both_ends():
    vectors_ND = np.random.default_rng(1).standard_normal((1700, 33)).astype(np.float32)
    found = {}
    for block, scores_BK, rows_BK in all_pairs(vectors_ND, 20):
        for row, scores_K, rows_K in zip(range(block.start, block.stop), scores_BK, rows_BK):
            found |= {(row, int(other)): score for other, score in zip(rows_K, scores_K)}
    far = {(i, j): score for (i, j), score in found.items() if i // module.SIDE != j // module.SIDE}
    both = [(score, far[j, i]) for (i, j), score in far.items() if (j, i) in far]
    assert len(both) > 1000 and all(one == other for one, other in both)


@pytest.mark.parametrize(("queries", "k"), [(1, 1), (5, 10), (70, 10), (130, 400)])
def test_nearest_of_queries_with_and_without_a_row_of_their_own(small_blocks, queries, k):
    base_ND, asked_QD = whole_numbers(301, 6, seed=9), whole_numbers(queries, 6, seed=10)
    scores_QK, rows_QK = nearest(base_ND, asked_QD, k)
    expected_QK, expected_rows_QK = sorted_scores(asked_QD @ base_ND.T, k)
    np.testing.assert_array_equal(scores_QK, expected_QK)
    np.testing.assert_array_equal(rows_QK, expected_rows_QK)
    own_Q = np.where(np.arange(queries) % 3 == 0, -1, np.arange(queries) * 2)
    scores_QN = asked_QD @ base_ND.T
    scores_QN[own_Q >= 0, own_Q[own_Q >= 0]] = -np.inf
    scores_QK, rows_QK = nearest(base_ND, asked_QD, k, own_Q)
    expected_QK, expected_rows_QK = sorted_scores(scores_QN, min(k, 300))
    np.testing.assert_array_equal(scores_QK, expected_QK)
    np.testing.assert_array_equal(rows_QK, expected_rows_QK)


def test_nearest_of_nothing():
    base_ND = whole_numbers(3, 2, seed=0)
    assert nearest(base_ND, np.empty((0, 2), np.float32), 2)[1].shape == (0, 2)
    assert nearest(base_ND, base_ND, 0)[1].shape == (3, 0)
    assert nearest(base_ND[:0], base_ND, 2)[1].shape == (3, 0)
    assert list(all_pairs(base_ND[:0], 2)) == []
    ((block, scores_BK, rows_BK),) = all_pairs(base_ND[:1], 10)
    assert block == slice(0, 1) and scores_BK.shape == rows_BK.shape == (1, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_scores_that_are_no_numbers_are_refused(value):
    vectors_ND = whole_numbers(10, 3, seed=2)
    vectors_ND[4, 1] = value
    with pytest.raises(ValueError, match="not be finite"):
        next(all_pairs(vectors_ND, 2))
    with pytest.raises(ValueError, match="not be finite"):
        nearest(vectors_ND, vectors_ND[4:5], 2)


def test_a_floor_is_below_k_scores_and_never_above_the_kth():
    scores_BC = np.random.default_rng(3).standard_normal((50, 300)).astype(np.float32)
    for k in (1, 2, 10, 75, 299, 300):
        floor_B = floors(scores_BC, k)
        assert ((scores_BC > floor_B[:, None]).sum(1) >= k).all()
    assert np.isneginf(floors(scores_BC, 301)).all()
    assert ((scores_BC > floors(scores_BC, 10)[:, None]).sum(1) < 40).all()


def test_offers_of_one_row_that_gets_almost_all(monkeypatch):
    best = Best(64, 2)
    scores_NB = np.full((640, 64), -1, np.float32)
    scores_NB[:, 7] = np.arange(640)
    for first in range(0, 640, 64):
        best.offer(scores_NB[first : first + 64], first, across=True)
    scores_BK, rows_BK = best.found()
    assert rows_BK[7].tolist() == [639, 638] and scores_BK[7].tolist() == [639, 638]
    assert (np.delete(rows_BK, 7, axis=0) == [0, 1]).all()


def test_top_k_takes_equal_scores_in_order_of_column():
    scores_QN = np.random.default_rng(5).integers(0, 4, (40, 30)).astype(np.float32)
    for k in (0, 1, 7, 30, 99):
        for one, other in zip(top_k(scores_QN, k), sorted_scores(scores_QN, k)):
            np.testing.assert_array_equal(one, other)
