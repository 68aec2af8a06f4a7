import numpy as np
import pytest

from kindex.judge.intervals import Interval, of_mean, of_statistic, resamples


def test_resamples_draw_as_many_as_there_are_and_are_the_same_every_time() -> None:
    counts_SQ = resamples(30, 50, seed=1)
    assert counts_SQ.shape == (50, 30) and (counts_SQ.sum(1) == 30).all()
    assert np.array_equal(counts_SQ, resamples(30, 50, seed=1))
    assert not np.array_equal(counts_SQ, resamples(30, 50, seed=2))
    assert resamples(0, 50, seed=1).shape == (0, 0) and resamples(4, 0, seed=1).shape == (0, 4)


def test_the_mean_and_its_interval_against_drawing_rows() -> None:
    values_Q = np.random.default_rng(0).exponential(size=400)
    found = of_mean(values_Q, resamples(400, 2000, seed=5))
    rng = np.random.default_rng(9)
    drawn = [values_Q[rng.integers(0, 400, 400)].mean() for _ in range(2000)]
    assert found.value == pytest.approx(values_Q.mean())
    assert (found.low, found.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.01)
    assert found.low < found.value < found.high


def test_values_that_are_not_defined_do_not_count() -> None:
    values_Q = np.array([1.0, np.nan, 3.0])
    assert of_mean(values_Q, np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 0.0]])) == Interval(2.0, 2.0, 2.0)
    assert of_mean(np.array([np.nan]), np.zeros((0, 1))) == Interval(0.0, 0.0, 0.0)


def test_a_count_of_distinct_things_is_not_lowered_by_resampling() -> None:
    counts_SQ = resamples(100, 200, seed=3)
    assert counts_SQ.astype(bool).mean() == pytest.approx(0.63, abs=0.02)
    found = of_statistic(lambda weights_Q: float((weights_Q > 0).mean()), counts_SQ)
    assert found.value == 1.0 and found.low < 1.0 < found.high
    assert found.named("coverage") == {"coverage": 1.0, "coverage_low": found.low, "coverage_high": found.high}
