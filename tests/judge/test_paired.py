"""The paired bootstrap against what is known of a mean of differences, and who may be compared at all."""

import numpy as np
import pytest

from kindex.judge.paired import LEAST_SHARED, paired
from kindex.judge.queries import queries_table


def table(values_Q, ids=None, metric="m", kind="reader"):
    names = ids or [f"r{n}" for n in range(len(values_Q))]
    return queries_table({metric: {kind: (names, np.asarray(values_Q, float))}}, {})


def test_the_interval_is_that_of_the_mean_difference():
    rng = np.random.default_rng(0)
    former_Q = rng.random(2000)
    gain_Q = rng.normal(0.01, 0.05, 2000)
    found = paired(table(former_Q), table(former_Q + gain_Q), "m")
    error = gain_Q.std() / np.sqrt(2000)  # of the mean, by the central limit theorem
    assert found.shared == 2000
    assert found.difference == pytest.approx(gain_Q.mean(), abs=1e-6)
    assert found.low == pytest.approx(gain_Q.mean() - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(gain_Q.mean() + 1.96 * error, abs=0.3 * error)


def test_a_fall_that_two_intervals_would_hide_is_seen():
    rng = np.random.default_rng(1)
    former_Q = (rng.random(1000) < 0.5).astype(float)  # its own interval is about ±0.031
    now_Q = former_Q.copy()
    now_Q[np.flatnonzero(former_Q)[:25]] = 0
    found = paired(table(former_Q), table(now_Q), "m")
    assert found.difference == pytest.approx(-0.025)
    assert -0.05 < found.low < found.high < 0


def test_queries_are_matched_by_kind_and_id_whatever_their_order():
    rng = np.random.default_rng(2)
    values_Q, order = rng.random(100), rng.permutation(100)
    ids = [f"r{n}" for n in range(100)]
    former = table(values_Q, ids)
    found = paired(former, table(values_Q[order], [ids[n] for n in order]), "m")
    assert (found.shared, found.difference, found.low, found.high) == (100, 0, 0, 0)
    assert paired(former, table(values_Q, ids, kind="book"), "m") is None
    assert paired(former, table(values_Q, ids, metric="other"), "m") is None


def test_too_few_shared_queries_are_not_compared():
    values_Q = np.linspace(0, 1, 100)
    assert paired(table(values_Q), table(values_Q[: LEAST_SHARED - 1]), "m") is None
    assert paired(table(values_Q), table(values_Q[:49]), "m") is None  # less than half of the larger
    assert paired(table(values_Q), table(values_Q[:50]), "m").shared == 50


def test_queries_without_a_value_are_in_neither():
    values_Q = np.linspace(0, 1, 100)
    broken_Q = values_Q.copy()
    broken_Q[3] = np.nan
    assert paired(table(values_Q), table(broken_Q), "m").shared == 99
