"""Hubness, coverage and popularity of neighbours against slow loops, before and after a correction."""

import math

import numpy as np
import pytest

from kindex.core.space import Space
from kindex.judge.hubs import judge_hubs


def space(vectors_ND: np.ndarray) -> Space:
    return Space("thing", tuple(map(str, range(len(vectors_ND)))), vectors_ND.astype(np.float32))


def slow(scores, links):
    """Skewness of N_10, share of items answered, and popularity of answers, by loops over `scores[i][j]`."""
    count = len(scores)
    times, gains = [0] * count, []
    mean_log = sum(math.log2(1 + n) for n in links) / count
    for item in range(count):
        near = sorted((-scores[item][other], other) for other in range(count) if other != item)[:10]
        for _, other in near:
            times[other] += 1
        gains.append(sum(math.log2(1 + links[other]) for _, other in near) / 10 - mean_log)
    mean = sum(times) / count
    spread = (sum((n - mean) ** 2 for n in times) / count) ** 0.5
    skewness = sum((n - mean) ** 3 for n in times) / count / spread**3
    return skewness, sum(n > 0 for n in times) / count, sum(gains) / count


def test_the_numbers_are_those_of_the_slow_loops_before_and_after() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(60, 4)) * np.linspace(1, 5, 60)[:, None]
    vectors[:, 0] += 2
    links = rng.integers(0, 50, 60)
    thing = space(vectors)
    found = judge_hubs(thing, rng.permutation(60), links, bootstrap=40, seed=1)
    cosine = thing.unit_ND.astype(float) @ thing.unit_ND.T.astype(float)
    near = [sorted((cosine[i][j] for j in range(60) if j != i), reverse=True)[:10] for i in range(60)]
    r = [sum(ten) / 10 for ten in near]
    soft = [math.log(sum(math.exp(30 * cosine[n][j]) for n in range(60) if n != j) / 59) / 30 for j in range(60)]
    scores = {
        "": cosine,
        "local_scaling_": [[2 * cosine[i][j] - r[i] - r[j] for j in range(60)] for i in range(60)],
        "inverted_softmax_": [[cosine[i][j] - soft[j] for j in range(60)] for i in range(60)],
    }
    for prefix, table in scores.items():
        expected = slow(table, links.tolist())
        names = ("hubness", "neighbour_coverage_at_10", "neighbour_popularity_bias")
        assert [found[prefix + name].value for name in names] == pytest.approx(expected, abs=1e-6)
        assert all(found[prefix + name].low <= found[prefix + name].value <= found[prefix + name].high for name in names)


def test_a_correction_answers_hubs_less_often() -> None:
    rng = np.random.default_rng(3)
    spokes = rng.normal(size=(300, 40)) + 0.3
    hub = np.ones((6, 40)) + 0.3 * rng.normal(size=(6, 40))
    found = judge_hubs(space(np.vstack([spokes, hub])), np.arange(306), None, bootstrap=0, seed=1)
    plain, scaled, soft = (found[f"{p}hubness"].value for p in ("", "local_scaling_", "inverted_softmax_"))
    assert plain > 3 and max(scaled, soft) < plain / 2
    assert "neighbour_popularity_bias" not in found
    assert judge_hubs(space(spokes[:1]), np.arange(1), None, bootstrap=5, seed=1)["hubness"].value == 0
