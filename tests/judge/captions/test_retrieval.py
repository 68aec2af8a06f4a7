import numpy as np
import pytest

from kindex.core.space import unit
from kindex.judge.captions.retrieval import chance, judge_retrieval, ranks, weighted_median


def made(queries: int = 60, images: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images_ND = unit(rng.normal(size=(images, 8)).astype(np.float32))
    right_Q = rng.integers(0, images, queries)
    return unit(images_ND[right_Q] + rng.normal(size=(queries, 8)).astype(np.float32)), images_ND, right_Q


def test_ranks_are_those_of_sorting_all_scores() -> None:
    queries_QD, images_ND, right_Q = made()
    found = ranks(queries_QD, images_ND, right_Q)
    for query, right in enumerate(right_Q):
        order = np.argsort(-(images_ND @ queries_QD[query])).tolist()
        assert found.expected_Q[query] == order.index(right) + 1
        assert [found.among_first(k)[query] for k in (1, 5)] == [order.index(right) < 1, order.index(right) < 5]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made()
    whole = ranks(*given)
    monkeypatch.setattr("kindex.core.nearest.BLOCK_SCORES", 100)
    parts = ranks(*given)
    assert np.array_equal(whole.above_Q, parts.above_Q) and np.array_equal(whole.equal_Q, parts.equal_Q)


def test_a_space_without_differences_is_worth_exactly_chance() -> None:
    same_ND = np.tile(np.array([[1, 0]], np.float32), (20, 1))
    found = judge_retrieval(ranks(same_ND, same_ND, np.arange(20)), np.arange(20), "text", bootstrap=10, seed=0)
    assert {f"chance_{name}": each.value for name, each in found.items()} == pytest.approx(chance(20, "chance_text"))


def test_chance_is_that_of_shuffled_images() -> None:
    rng = np.random.default_rng(0)
    places = np.array([rng.permutation(7).tolist().index(0) + 1 for _ in range(40_000)])
    exact = chance(7, "c")
    assert exact["c_recall_at_5"] == pytest.approx((places <= 5).mean(), abs=0.01)
    assert exact["c_median_rank"] == np.median(places) == 4
    assert exact["c_recall_at_10"] == 1.0


def test_the_interval_draws_images_and_not_their_captions() -> None:
    """Five captions of one image that all succeed or all fail say no more than one: the interval must not be narrower."""
    rng = np.random.default_rng(1)
    good_N = rng.random(60) < 0.5
    images_ND = np.eye(61, dtype=np.float32)
    asked_ND = images_ND[np.where(good_N, np.arange(60), 60)]
    one = judge_retrieval(ranks(asked_ND, images_ND, np.arange(60)), np.arange(60), "t", bootstrap=400, seed=3)
    five = np.repeat(np.arange(60), 5)
    many = judge_retrieval(ranks(asked_ND[five], images_ND, five), five, "t", bootstrap=400, seed=3)
    assert many["t_recall_at_1"] == pytest.approx(one["t_recall_at_1"])
    assert one["t_recall_at_1"].value == good_N.mean() and one["t_recall_at_1"].high - one["t_recall_at_1"].low > 0.2


def test_the_median_of_weighted_values_is_that_of_values_written_out() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        values_N = np.sort(rng.integers(1, 9, 6)).astype(float)
        weights_N = rng.integers(0, 4, 6).astype(float)
        if weights_N.sum():
            assert weighted_median(values_N, weights_N) == np.median(np.repeat(values_N, weights_N.astype(int)))
