"""Bootstrap percentile intervals over queries (Efron 1979): how far a number could move with other held-out queries."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

LEVEL = (2.5, 97.5)
"""Percentiles of the resampled statistic: a 95 % interval."""


class Interval(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    def named(self, name: str) -> dict[str, float]:
        """As entries of a flat report: `<name>`, `<name>_low`, `<name>_high`."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def resamples(queries: int, count: int, seed: int) -> np.ndarray:
    """How often each query is drawn in each resample: (count, queries) float64, each row summing to `queries`."""
    if not queries or not count:
        return np.zeros((0, queries))
    rng = np.random.default_rng([seed, queries])
    return rng.multinomial(queries, np.full(queries, 1 / queries), size=count).astype(np.float64)


def of_mean(values_Q: np.ndarray, counts_SQ: np.ndarray) -> Interval:
    """The mean of the values that are not NaN, and its interval (the mean thrice when there are no resamples)."""
    known_Q = ~np.isnan(values_Q)
    if not known_Q.any():
        return Interval(0.0, 0.0, 0.0)
    value = float(values_Q[known_Q].mean())
    weights_S = counts_SQ @ known_Q
    drawn = weights_S > 0
    if not drawn.any():
        return Interval(value, value, value)
    means_S = (counts_SQ @ np.where(known_Q, values_Q, 0.0))[drawn] / weights_S[drawn]
    low, high = np.percentile(means_S, LEVEL)
    return Interval(value, float(low), float(high))


def of_statistic(statistic: Callable[[np.ndarray], float], counts_SQ: np.ndarray) -> Interval:
    """The interval of a statistic that is not a mean: `statistic(weights_Q)` with each query weighing 1, then resampled.

    A resample holds about two thirds of the distinct queries, which alone lowers a coverage or raises a clustering
    score. So the percentiles are moved to stand around the value: only the spread is taken from the resamples.
    """
    value = statistic(np.ones(counts_SQ.shape[1]))
    if not len(counts_SQ):
        return Interval(value, value, value)
    drawn_S = np.array([statistic(weights_Q) for weights_Q in counts_SQ])
    low, middle, high = np.percentile(drawn_S, (LEVEL[0], 50, LEVEL[1]))
    return Interval(value, float(value + low - middle), float(value + high - middle))
